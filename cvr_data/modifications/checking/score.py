"""Score accepted texts: does reference and text lead to the target? Scores are columns; thresholds reject.

    modifications ──▶ cycle check (sentence encoder) ──▶ judge (language model, if wanted) ──▶ modifications

The table is the one that comes in with the scores added; a row beyond a threshold becomes rejected, with the reason.
"""

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cvr_data.core.artifacts import Artifact, ArtifactWriter, open_artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.progress import Progress
from cvr_data.core.registry import config_dict
from cvr_data.modifications.asking.cache import RequestCache
from cvr_data.modifications.backends import BACKENDS
from cvr_data.modifications.checking import cycle, judge
from cvr_data.modifications.checking.judge import Judge, JudgeConfig
from cvr_data.modifications.engines.products import runs_on
from cvr_data.modifications.generate import GIVEN_THE_CACHE
from cvr_data.modifications.pairs import videos_of, with_descriptions
from cvr_data.tables import MODIFICATIONS

STAGE = "generate-modifications-scored"
VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which texts to reject; without a threshold all stay as they are."""

    min_gain: float | None = None
    """Least `cycle_gain`. 0.02 keeps 76 % of people's texts, 1 % of those of other pairs, 4 % of those for the way
    back (measured on WebVid-CoVR's test)."""
    min_score: float | None = None
    """Least `cycle_score`."""
    max_text_score: float | None = None
    """Largest `text_score`: a text closer to the target's caption than this finds it alone."""
    reject: tuple[str, ...] = ()
    """Verdicts of the judge that reject a text."""
    judge: JudgeConfig | None = field(default=None, metadata={"output": False})
    """Who judges; None: nobody."""

    def __post_init__(self) -> None:
        unknown = [verdict for verdict in self.reject if verdict not in judge.VERDICTS]
        if unknown:
            raise CvrError(f"Unknown verdict {unknown[0]!r}; there are {', '.join(judge.VERDICTS)}.")
        if self.reject and self.judge is None:
            raise CvrError("Verdicts reject nothing without a judge: add --judge-backend.")


def score_modifications(
    modifications: Path, out: Path, config: Config, *, pairs: Path | None = None, cache: Path, overwrite: bool = False
) -> Artifact:
    """Write the modifications with their scores and return the artifact, resuming an interrupted run.

    Raises:
        CvrError: the pairs of the texts are not to be found, or `out` holds something else.
    """
    texts = open_artifact(modifications, stage="generate-modifications")
    pairs = pairs or texts.input_path("pairs")
    judging = Judge(config.judge) if config.judge else None
    identity = {**config_dict(config), "judge": _judge_identity(judging)}
    inputs = {"modifications": modifications, "pairs": pairs}
    writer = ArtifactWriter(out, stage=STAGE, version=VERSION, config=identity, inputs=inputs, overwrite=overwrite)
    if (done := writer.finished()) is not None:
        return done
    shown = _shown(pairs, texts)
    opened = RequestCache(cache) if judging and not judging.backend.is_pure else nullcontext()
    with writer, opened as request_cache, Progress(STAGE, texts.manifest["rows"]) as progress:
        if judging is not None:
            judging.asker.cache = request_cache
        for part, path in enumerate(texts.part_paths):
            table = check_columns(pq.read_table(path), MODIFICATIONS, str(path))
            if writer.has_part(part):
                progress.skip(table.num_rows)
                continue
            writer.write_part(part, _scored(table, shown, config, judging))
            progress.advance(table.num_rows)
        return writer.finish(**_summary(out), **(_judged(judging) if judging else {}))


def _shown(pairs: Path, texts: Artifact) -> pa.Table:
    """Return the pairs, with descriptions where dense texts were written over them."""
    artifact = open_artifact(pairs)
    table = artifact.read()
    is_dense = "dense" in pc.unique(texts.read(["style"]).column("style")).to_pylist()
    videos = videos_of(artifact, None) if is_dense else None
    return table if videos is None else with_descriptions(table, videos)


def _scored(table: pa.Table, pairs: pa.Table, config: Config, judging: Judge | None) -> pa.Table:
    """Return the rows with the score columns, null where a text was not accepted, and their new status."""
    rows = pc.indices_nonzero(pc.equal(table.column("status"), "ok")).to_numpy()
    accepted = table.take(rows)
    place = pc.index_in(accepted.column("pair_id"), pairs.column("pair_id").combine_chunks())
    if place.null_count:
        raise CvrError(f"{place.null_count} texts are of pairs that are not there; pass the right --pairs.")
    sides = [_side(accepted, pairs.take(place), side) for side in ("reference", "target")]
    texts = accepted.column("modification").to_pylist()
    scores = cycle.cycle_scores(sides[0], texts, sides[1])
    if judging is not None:
        verdicts = judging.verdicts(sides[0], texts, sides[1])
        for name in judge.SCHEMA.names:
            scores = scores.append_column(name, verdicts.column(name))
    return _with_reasons(_spread(table, scores, rows), config)


def _side(texts: pa.Table, pairs: pa.Table, side: str) -> list[str]:
    """Return what each text is about: captions, for dense texts the descriptions where there are any."""
    captions = pairs.column(f"{side}_caption").to_pylist()
    if f"{side}_description" not in pairs.column_names:
        return captions
    described = pairs.column(f"{side}_description").to_pylist()
    styles = texts.column("style").to_pylist()
    return [long if style == "dense" and long else short for short, long, style in
            zip(captions, described, styles, strict=True)]  # fmt: skip


def _spread(table: pa.Table, scores: pa.Table, rows: Any) -> pa.Table:
    """Return the table with the columns of the scores, which belong to these rows."""
    places = pc.index_in(pa.array(range(table.num_rows)), pa.array(rows, pa.int64()))
    for name in scores.column_names:
        if name in table.column_names:
            table = table.drop_columns([name])
        table = table.append_column(name, scores.column(name).take(places))
    return table


def _with_reasons(table: pa.Table, config: Config) -> pa.Table:
    found = [_reasons(row, config) for row in table.to_pylist()]
    earlier = table.column("reasons").to_pylist()
    status = ["rejected" if new else old for new, old in zip(found, table.column("status").to_pylist(), strict=True)]
    reasons = [old + new for new, old in zip(found, earlier, strict=True)]
    for name, values in (("status", status), ("reasons", reasons)):
        table = with_column(table, MODIFICATIONS.field(name), values)
    return table


def _reasons(row: dict[str, Any], config: Config) -> list[str]:
    if row["status"] != "ok":
        return []
    limits = (
        ("low_cycle_gain", config.min_gain is not None and row["cycle_gain"] < config.min_gain),
        ("low_cycle_score", config.min_score is not None and row["cycle_score"] < config.min_score),
        ("text_finds_target", config.max_text_score is not None and row["text_score"] > config.max_text_score),
        (f"judged_{row.get('judge_verdict')}", row.get("judge_verdict") in config.reject),
    )
    return [reason for reason, is_beyond in limits if is_beyond]


def _judge_identity(judging: Judge | None) -> dict[str, Any] | None:
    if judging is None:
        return None
    return {"backend": judging.config.backend, "model": judging.backend.model, "attempts": judging.config.attempts,
            "prompt": judging.prompt.name, "prompt_sha256": judging.prompt.sha256}  # fmt: skip


def _judged(judging: Judge) -> dict[str, Any]:
    backend = BACKENDS.config(judging.config.backend, judging.config.options)
    return {"requests": judging.asker.tally.as_json(), "determinism": GIVEN_THE_CACHE, **runs_on(backend)}


def _summary(out: Path) -> dict[str, Any]:
    status: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    gains = []
    for part in sorted(out.glob("part-*.parquet")):
        table = pq.read_table(part)
        status.update(table.column("status").to_pylist())
        reasons.update(reason for row in table.column("reasons").to_pylist() for reason in row)
        gains += table.column("cycle_gain").drop_null().to_pylist()
        if "judge_verdict" in table.column_names:
            verdicts.update(table.column("judge_verdict").drop_null().to_pylist())
    counts = {"status": dict(sorted(status.items())), "reasons": dict(sorted(reasons.items()))}
    counts["verdicts"] = dict(sorted(verdicts.items()))
    quartiles = pc.quantile(pa.array(gains, pa.float64()), [0.05, 0.5, 0.95]).to_pylist() if gains else []
    return {**counts, "cycle_gain": {name: round(value, 4) for name, value in
                                     zip(("p05", "median", "p95"), quartiles, strict=False)}}  # fmt: skip

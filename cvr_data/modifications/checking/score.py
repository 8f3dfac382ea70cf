"""Score accepted texts: does reference and text lead to the target? Scores are columns; thresholds reject.

    modifications ──▶ cycle check (sentence encoder) ──▶ judge (language model, if wanted) ──▶ modifications

The table is the one that comes in with the scores added; a row beyond a threshold becomes rejected, with the reason.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import Side, Step
from cvr_data.core.whole_files import read_parquet
from cvr_data.modifications.asked import ROWS, TEXTS, with_descriptions
from cvr_data.modifications.asking.ask import Tally
from cvr_data.modifications.asking.spread import EngineOfJobs
from cvr_data.modifications.backends import BACKENDS
from cvr_data.modifications.checking import cycle, judge
from cvr_data.modifications.checking.judge import Judge, JudgeConfig
from cvr_data.modifications.counts import (
    count_modification_values,
    count_modification_verdicts,
    counted_requests,
    gather_modification_counts,
    requests_of,
)
from cvr_data.modifications.engines.products import backend_runs_on
from cvr_data.modifications.generate import GIVEN_THE_CACHE
from cvr_data.modifications.lookup import Lookup, check_modifications_have_pairs, generator_looked_up_rows
from cvr_data.modifications.pairs import prompted_videos
from cvr_data.tables import MODIFICATIONS

STAGE = "generate-modifications-scored"
VERSION = 4
OF_PAIR = {name: f"_{name}" for name in ("reference_id", "target_id", "reference_caption", "target_caption")}
"""Columns of pairs -> what they are called beside the texts."""
BACK, NOT_ASKED = "_led_back", "pair_not_mined"
"""Column that says whether a way back was accepted; the reason of one that could not be asked for."""
DESCRIBED = {"reference_id": "_reference_description", "target_id": "_target_description"}
"""Ids of videos -> the columns of their descriptions."""


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
    way_back: Path | None = field(default=None, metadata={"output": False})
    """Ways back of the texts (`--style reverse --from`): a text of which none is accepted is rejected, since who
    follows it and then what takes it back should end where they began. Those of pairs not mined say nothing."""

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
    texts = open_artifact(modifications, stage=TEXTS)
    pairs = pairs or texts.input_path("pairs")
    identity = {**config_dict(config), "judge": _judge_identity(config.judge)}
    inputs = {"modifications": modifications, "pairs": pairs}
    inputs |= {"way_back": config.way_back} if config.way_back else {}
    run = StageRun(out, stage=STAGE, version=VERSION, config=identity, inputs=inputs, overwrite=overwrite)
    if (done := run.finished()) is not None:
        return done
    asked = config.judge
    engine = EngineOfJobs.of(asked.backend, asked.options, cache) if asked else None
    with run:
        flow = _beside_pairs(run, modifications, pairs)
        flow = flow if config.way_back is None else _beside_ways_back(run, flow, config.way_back)
        step = Step(
            name=STAGE, run=_scored_texts, config=config, sides=(Side(_text_judge, (asked, engine)),), tells=True,
            on_gpu=True,
        )  # fmt: skip
        with engine.jobs() if engine else nullcontext():
            run.write_parts(flow.then(step), total=texts.manifest["rows"])
        told = gather_modification_counts(run.told, "status", "reasons", "verdicts")
        judging = _judging(asked, run.told_now) if asked else {}
        return run.finish(**told, cycle_gain=_gain_quartiles(run.out), **judging)


def _beside_pairs(run: StageRun, modifications: Path, pairs: Path) -> Flow:
    """Return the texts with columns of their pairs, and descriptions where dense texts were written over them."""
    flow = run.read(modifications, part_rows=ROWS)
    flow = flow.then(Step(name="texts", run=_checked_texts, config=str(modifications), is_counted=False))
    lookup = Lookup(ids=("pair_id",), key="pair_id", columns=tuple(OF_PAIR), names=(tuple(OF_PAIR.values()),))
    of_pair = ["pair_id", *OF_PAIR]
    flow = generator_looked_up_rows(flow, run.read(pairs, of_pair, of_pair), lookup)
    videos = prompted_videos(open_artifact(pairs), None) if _has_dense(modifications) else None
    return flow if videos is None else with_descriptions(flow, videos, beside="_")


def _beside_ways_back(run: StageRun, texts: Flow, folder: Path) -> Flow:
    """Return the texts with whether their way back was accepted, null where none was asked for."""
    open_artifact(folder, stage=TEXTS)
    back = run.read(folder, ["given_id", "status", "reasons"], ["given_id", "status", "reasons"])
    back = back.then(Step(name="ways back", run=_told_ways_back, makes_rows=True, is_counted=False))
    return generator_looked_up_rows(
        texts, back, Lookup(ids=("modification_id",), key="given_id", columns=(BACK,), names=((BACK,),))
    )


def _told_ways_back(config: None, back: pa.Table) -> pa.Table:
    """Return given_id and whether it was accepted, accepted ones first; those that could not be asked for left out."""
    columns = (back.column(name).to_pylist() for name in ("status", "reasons"))
    asked = [status != "error" and reasons != [NOT_ASKED] for status, reasons in zip(*columns, strict=True)]
    back = back.filter(pa.array(asked, pa.bool_()))
    told = pa.table({"given_id": back.column("given_id"), BACK: pc.equal(back.column("status"), "ok")})
    return told.sort_by([(BACK, "descending"), ("given_id", "ascending")])


def _has_dense(modifications: Path) -> bool:
    paths = open_artifact(modifications).part_paths
    return any("dense" in pc.unique(read_parquet(path, ["style"]).column("style")).to_pylist() for path in paths)


def _checked_texts(where: str, part: pa.Table) -> pa.Table:
    return check_columns(part, MODIFICATIONS, where)


def _text_judge(config: JudgeConfig | None, engine: EngineOfJobs | None) -> Judge | None:
    return Judge(config, engine.asker()) if config is not None and engine is not None else None


def _scored_texts(config: Config, table: pa.Table, judging: Judge | None) -> tuple[pa.Table, Counter[str]]:
    """Return the rows with the score columns, null where a text was not accepted, and their new status."""
    beside = [*OF_PAIR.values(), *DESCRIBED.values(), BACK]
    back = table.column(BACK).to_pylist() if BACK in table.column_names else [None] * table.num_rows
    rows = pc.indices_nonzero(pc.equal(table.column("status"), "ok")).to_numpy()
    accepted = table.take(rows)
    check_modifications_have_pairs(accepted.column(OF_PAIR["reference_id"]))
    sides = [_side_of_texts(accepted, side) for side in ("reference", "target")]
    texts = accepted.column("modification").to_pylist()
    scores = cycle.modification_cycle_scores(sides[0], texts, sides[1])
    if judging is not None:
        judging.asker.tally = Tally()
        verdicts = judging.verdicts(sides[0], texts, sides[1])
        for name in judge.SCHEMA.names:
            scores = scores.append_column(name, verdicts.column(name))
    table = table.drop_columns([name for name in beside if name in table.column_names])
    scored = _with_reasons(_spread_text_scores(table, scores, rows), config, back)
    return scored, _told_of_texts(scored, judging)


def _told_of_texts(scored: pa.Table, judging: Judge | None) -> Counter[str]:
    told = count_modification_verdicts(scored.column("status").to_pylist(), scored.column("reasons").to_pylist())
    if judging is None:
        return told
    told += count_modification_values("verdicts", scored.column("judge_verdict").to_pylist())
    return told + counted_requests(judging.asker.tally)


def _side_of_texts(texts: pa.Table, side: str) -> list[str]:
    """Return what each text is about: captions, for dense texts the descriptions where there are any."""
    captions = texts.column(OF_PAIR[f"{side}_caption"]).to_pylist()
    if DESCRIBED[f"{side}_id"] not in texts.column_names:
        return captions
    described = texts.column(DESCRIBED[f"{side}_id"]).to_pylist()
    styles = texts.column("style").to_pylist()
    return [long if style == "dense" and long else short for short, long, style in
            zip(captions, described, styles, strict=True)]  # fmt: skip


def _spread_text_scores(table: pa.Table, scores: pa.Table, rows: Any) -> pa.Table:
    """Return the table with the columns of the scores, which belong to these rows."""
    places = pc.index_in(pa.array(range(table.num_rows)), pa.array(rows, pa.int64()))
    for name in scores.column_names:
        if name in table.column_names:
            table = table.drop_columns([name])
        table = table.append_column(name, scores.column(name).take(places))
    return table


def _with_reasons(table: pa.Table, config: Config, back: Sequence[bool | None]) -> pa.Table:
    found = [
        _reasons_against_text(row, config, led_back) for row, led_back in zip(table.to_pylist(), back, strict=True)
    ]
    earlier = table.column("reasons").to_pylist()
    status = ["rejected" if new else old for new, old in zip(found, table.column("status").to_pylist(), strict=True)]
    reasons = [old + new for new, old in zip(found, earlier, strict=True)]
    for name, values in (("status", status), ("reasons", reasons)):
        table = with_column(table, MODIFICATIONS.field(name), values)
    return table


def _reasons_against_text(row: dict[str, Any], config: Config, led_back: bool | None) -> list[str]:
    if row["status"] != "ok":
        return []
    limits = (
        ("low_cycle_gain", config.min_gain is not None and row["cycle_gain"] < config.min_gain),
        ("low_cycle_score", config.min_score is not None and row["cycle_score"] < config.min_score),
        ("text_finds_target", config.max_text_score is not None and row["text_score"] > config.max_text_score),
        ("no_way_back", led_back is False),
        (f"judged_{row.get('judge_verdict')}", row.get("judge_verdict") in config.reject),
    )
    return [reason for reason, is_beyond in limits if is_beyond]


def _judge_identity(config: JudgeConfig | None) -> dict[str, Any] | None:
    if config is None:
        return None
    judging = Judge(config)
    return {"backend": config.backend, "model": judging.backend.model, "attempts": config.attempts,
            "prompt": judging.prompt.name, "prompt_sha256": judging.prompt.sha256}  # fmt: skip


def _judging(config: JudgeConfig, told: Mapping[str, Any]) -> dict[str, Any]:
    backend = BACKENDS.config(config.backend, config.options)
    return {"requests": requests_of(told).as_json(), "determinism": GIVEN_THE_CACHE, **backend_runs_on(backend)}


def _gain_quartiles(out: Path) -> dict[str, float]:
    """Return the distribution of `cycle_gain`, a float for each text."""
    columns = [read_parquet(path, ["cycle_gain"]).column("cycle_gain").drop_null().to_numpy()
               for path in sorted(out.glob("part-*.parquet"))]  # fmt: skip
    gains = np.concatenate(columns)
    quartiles = pc.quantile(pa.array(gains, pa.float64()), [0.05, 0.5, 0.95]).to_pylist() if len(gains) else []
    return {name: round(value, 4) for name, value in zip(("p05", "median", "p95"), quartiles, strict=False)}

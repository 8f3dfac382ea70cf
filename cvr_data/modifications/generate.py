"""Write a modification text for every pair: ask, parse, lint, ask rejected ones again, keep every row.

    pairs ──▶ requests ──▶ cache, else backend ──▶ parsed, linted ──▶ ok | rejected | error, with reasons
                   ▲                                      │
                   └── other examples, another seed ◀─────┘ rejected, while attempts are left

Every row is kept. The rows are identical given the request cache, whatever the engine would have said a second time.
"""

import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cvr_data.core.artifacts import Artifact, ArtifactWriter, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.core.progress import Progress
from cvr_data.core.registry import config_dict
from cvr_data.modifications.asking.cache import History, RequestCache
from cvr_data.modifications.asking.request import SEEDS_PER_TEXT
from cvr_data.modifications.backends import BACKENDS
from cvr_data.modifications.engines.products import runs_on, with_type
from cvr_data.modifications.generator import SEEDS, Config, Generator, prompt_of
from cvr_data.modifications.given import check_places, with_given
from cvr_data.modifications.pairs import videos_of, with_descriptions
from cvr_data.modifications.prompts import Prompt
from cvr_data.modifications.training.trained import generators_of
from cvr_data.tables import PAIRS

STAGE = "generate-modifications"
VERSION = 3
ROWS = 4096
"""Rows of one part of the artifact, for one text per pair."""
PURE = "the rows follow from their inputs alone"
GIVEN_THE_CACHE = (
    "the rows follow from their inputs given the request cache; a sampled or batched engine need not repeat"
)


def generate_modifications(pairs: Path, out: Path, config: Config, *, cache: Path, overwrite: bool = False) -> Artifact:
    """Write the modifications of a pairs artifact and return the artifact, resuming an interrupted run.

    A finished one with error rows is written again: the cache has the other answers, so only the errors are asked.

    Raises:
        CvrError: unknown prompt, backend, option or split, or `out` holds something else.
    """
    writer = ArtifactWriter(
        out, stage=STAGE, version=VERSION, config=_identity(config), inputs=_inputs(pairs, config), overwrite=overwrite
    )
    generator = Generator(config)
    is_pure = generator.backend.is_pure
    if (done := writer.finished()) is not None and (is_pure or not done.manifest["status"].get("error")):
        return done
    table = read_pairs(pairs, config)
    opened = nullcontext() if is_pure else RequestCache(cache)
    rows = table.num_rows * config.num_texts
    with writer, opened as request_cache, Progress(STAGE, rows) as progress:
        generator.asker.cache, generator.progress = request_cache, progress
        started = time.monotonic()
        written = _write_parts(writer, generator, table)
        if request_cache is not None:
            _remember(request_cache, generator)
        return writer.finish(
            **_counts(out),
            requests=generator.asker.tally.as_json(),
            rows_per_s=round(written / max(time.monotonic() - started, 1e-3), 2),
            rejected_attempts=dict(sorted(generator.rejected.items())),
            **runs_on(BACKENDS.config(config.backend, config.options)),
            determinism=PURE if is_pure else GIVEN_THE_CACHE,
        )


def _write_parts(writer: ArtifactWriter, generator: Generator, table: pa.Table) -> int:
    """Write the parts that are missing and return how many rows they have."""
    written = 0
    for part, start in enumerate(range(0, max(table.num_rows, 1), ROWS)):
        piece = table.slice(start, ROWS)
        if writer.has_part(part):
            generator.skip(piece)
            continue
        texts = generator.texts_for(piece)
        writer.write_part(part, texts)
        written += texts.num_rows
    return written


def _remember(cache: RequestCache, generator: Generator) -> None:
    tally = generator.asker.tally
    if tally.asked > tally.failed:
        run = History(requests=tally.asked - tally.failed, tokens_in=tally.tokens_in, tokens_out=tally.tokens_out,
                      seconds=tally.seconds)  # fmt: skip
        cache.add_run(generator.backend.model, generator.prompt.name, run)


def read_pairs(pairs: Path, config: Config) -> pa.Table:
    """Return the pairs that the config asks for, in order, with what its prompt needs beside them.

    Raises:
        CvrError: a split that no pair has, or texts or videos that do not fit.
    """
    artifact, prompt = open_artifact(pairs), prompt_of(config)
    everything = check_columns(artifact.read(), PAIRS, str(pairs))
    table = everything
    if config.splits:
        found = set(table.column("split").to_pylist())
        for split in config.splits:
            if split not in found:
                listed = ", ".join(sorted(str(name) for name in found)) or "none"
                raise CvrError(f"{pairs}: no pair is of split {split!r} (splits: {listed}).")
        chosen = pa.array([split in config.splits for split in table.column("split").to_pylist()], pa.bool_())
        table = table.filter(chosen)
    table = table if config.limit is None else _sample(table, config.limit)
    if _wants_descriptions(prompt) and (videos := videos_of(artifact, config.videos)) is not None:
        table = with_descriptions(table, videos)
    if config.given is not None:
        mined = everything.column("pair_id").combine_chunks()
        table = with_given(table, config.given, swap=prompt.task == "reverse", mined=mined)
        check_places(table, SEEDS // (SEEDS_PER_TEXT * config.num_texts), config.given)
    return table


def _sample(pairs: pa.Table, limit: int) -> pa.Table:
    if pairs.num_rows <= limit:
        return pairs
    lowest = pc.sort_indices(pairs, sort_keys=[("pair_id", "ascending")]).slice(0, limit)
    return pairs.take(lowest.take(pc.sort_indices(lowest)))


def _wants_descriptions(prompt: Prompt) -> bool:
    return "_description" in prompt.user


def _inputs(pairs: Path, config: Config) -> dict[str, Path]:
    inputs = {"pairs": pairs, **generators_of(BACKENDS.config(config.backend, config.options))}
    if config.given is not None:
        inputs["given"] = config.given
    if config.videos is not None and _wants_descriptions(prompt_of(config)):
        inputs["videos"] = config.videos
    return inputs


def _identity(config: Config) -> dict[str, Any]:
    prompt = prompt_of(config)
    backend = with_type(BACKENDS.config(config.backend, config.options))
    module = BACKENDS.get(config.backend)
    plain = Config()
    chosen = {name: value for name, value in config_dict(replace(config, options=())).items()
              if name not in ("num_texts", "temperature", "top_k") or value != getattr(plain, name)}  # fmt: skip
    return {
        **chosen,
        "prompt": prompt.name,
        "prompt_sha256": prompt.sha256,
        "model": module.load(backend).model,
        "options": config_dict(backend),
        "decoding": [dict(prompt.decoding), dict(prompt.retry)],
        "lint": {name: dict(options or {}) for name, options in prompt.lint.items()},
    }


def _counts(out: Path) -> dict[str, Any]:
    status: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    tokens = [0, 0]
    for part in sorted(out.glob("part-*.parquet")):
        table = pq.read_table(part, columns=["status", "reasons", "tokens_in", "tokens_out"])
        status.update(table.column("status").to_pylist())
        reasons.update(reason for row in table.column("reasons").to_pylist() for reason in row)
        for place, name in enumerate(("tokens_in", "tokens_out")):
            tokens[place] += sum(filter(None, table.column(name).to_pylist()))
    return {
        "status": dict(sorted(status.items())),
        "reasons": dict(sorted(reasons.items())),
        "tokens": {"in": tokens[0], "out": tokens[1]},
    }

"""Write a modification text for every pair: ask, parse, lint, ask rejected ones again, keep every row.

    pairs ──▶ requests ──▶ cache, else backend ──▶ parsed, linted ──▶ ok | rejected | error, with reasons
                   ▲                                      │
                   └── other examples, another seed ◀─────┘ rejected, while attempts are left

Every row is kept. The rows are identical given the request cache, whatever the engine would have said a second time.
"""

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.artifacts import Artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.progress import watched_progress
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import Side, Step
from cvr_data.core.stored_answers import History
from cvr_data.modifications.asked import TEXTS, check_modifications_asked, pairs_to_modify, wants_descriptions
from cvr_data.modifications.asking.ask import Tally
from cvr_data.modifications.asking.cache import RequestCache
from cvr_data.modifications.asking.spread import EngineOfJobs
from cvr_data.modifications.backends import BACKENDS, load_backend
from cvr_data.modifications.counts import (
    count_modification_verdicts,
    counted_requests,
    gather_modification_counts,
    requests_of,
)
from cvr_data.modifications.engines.products import backend_runs_on, backend_with_type
from cvr_data.modifications.generator import Config, Generator, prompt_of
from cvr_data.modifications.training.trained import generators_of

VERSION = 10
GIVEN_VERSION = 7
"""Of paraphrases and ways back."""
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
    version, identity, inputs = (
        GIVEN_VERSION if config.given else VERSION,
        _generator_identity(config),
        _generator_inputs(pairs, config),
    )
    run = StageRun(out, stage=TEXTS, version=version, config=identity, inputs=inputs, overwrite=overwrite)
    is_pure = load_backend(config.backend, config.options).is_pure
    if (done := run.finished()) is not None and (is_pure or not done.manifest["status"].get("error")):
        return done
    check_modifications_asked(pairs, config)
    engine, is_new = EngineOfJobs.of(config.backend, config.options, cache), not out.exists()
    with run:
        try:
            asked = pairs_to_modify(run, pairs, config)
        except CvrError:
            if is_new:  # a mistake: nothing half-written stays
                run.writer.discard()
            raise
        started = time.monotonic()
        with engine.jobs():
            run.write_parts(asked.then(_generator_step(config, engine)), total=asked.values * config.num_texts)
        tally = requests_of(run.told_now)
        if not is_pure:
            _remember_request_counts(cache, tally, config, engine)
        told = gather_modification_counts(run.told, "status", "reasons", "tokens", "answers")
        return run.finish(
            **told,
            requests=tally.as_json(),
            rows_per_s=round(run.told_now["rows"] / max(time.monotonic() - started, 1e-3), 2),
            rejected_attempts=gather_modification_counts(run.told_now, "rejected")["rejected"],
            **backend_runs_on(BACKENDS.config(config.backend, config.options)),
            determinism=PURE if is_pure else GIVEN_THE_CACHE,
        )


def _generator_step(config: Config, engine: EngineOfJobs) -> Step:
    return Step(
        name=f"{prompt_of(config).name} {config.backend}", run=_generated_texts, config=config, tells=True,
        sides=(Side(_generator_of_job, (config, engine)),), makes_rows=config.num_texts > 1,
    )  # fmt: skip


def _generator_of_job(config: Config, engine: EngineOfJobs) -> Generator:
    return Generator(config, engine.asker())


def _generated_texts(config: Config, pairs: pa.Table, generator: Generator) -> tuple[pa.Table, Counter[str]]:
    generator.asker.tally, generator.progress = Tally(), watched_progress()
    generator.rejected.clear()
    generator.answers.clear()
    texts = generator.texts_for(pairs)
    told = count_modification_verdicts(texts.column("status").to_pylist(), texts.column("reasons").to_pylist())
    told += counted_requests(generator.asker.tally)
    told.update({f"rejected {reason}": count for reason, count in generator.rejected.items()})
    told.update({f"answers {fault}": count for fault, count in generator.answers.items()})
    for name in ("in", "out"):
        told[f"tokens {name}"] = sum(filter(None, texts.column(f"tokens_{name}").to_pylist()))
    told["rows"] = texts.num_rows
    return texts, told


def _remember_request_counts(cache: Path, tally: Tally, config: Config, engine: EngineOfJobs) -> None:
    if tally.asked > tally.failed:
        run = History(requests=tally.asked - tally.failed, tokens_in=tally.tokens_in, tokens_out=tally.tokens_out,
                      seconds=tally.seconds)  # fmt: skip
        with RequestCache(cache) as opened:
            opened.add_run(load_backend(engine.name, engine.options).model, prompt_of(config).name, run)


def _generator_inputs(pairs: Path, config: Config) -> dict[str, Path]:
    inputs = {"pairs": pairs, **generators_of(BACKENDS.config(config.backend, config.options))}
    if config.given is not None:
        inputs["given"] = config.given
    if config.videos is not None and wants_descriptions(prompt_of(config)):
        inputs["videos"] = config.videos
    return inputs


def _generator_identity(config: Config) -> dict[str, Any]:
    prompt = prompt_of(config)
    backend = backend_with_type(BACKENDS.config(config.backend, config.options))
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

"""Audit what is on disk: a result, whose model is asked again, or triplets, on which a model is asked anew.

audit_saved_result(Config(), Path("results/fdca-quickstart"))
audit_triplets(Config(), LeakConfig(), find_data_sources(Path("annotations/quickstart"), "--data"), AuditRun())
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cvr_bench.audit.altered import AlteredFeatures
from cvr_bench.audit.data_leaks import data_leaks
from cvr_bench.audit.generators import audit_generator_leaks
from cvr_bench.audit.leak import Config as LeakConfig
from cvr_bench.audit.pool import pool_findings
from cvr_bench.audit.record import (
    STAGE,
    VERSION,
    Config,
    Findings,
    audit_result,
    audit_retriever,
    read_audit,
    write_audit,
)
from cvr_bench.benchmarks import BENCHMARKS
from cvr_bench.benchmarks.triplets import benchmark_task_name
from cvr_bench.data.benchmark import Benchmark
from cvr_bench.data.opened import Sources
from cvr_bench.data.sources import sample_data_folder
from cvr_bench.models import MODELS
from cvr_bench.models.parts.retriever import is_trainable_retriever
from cvr_bench.results.result import STAGE as BENCH
from cvr_bench.results.result import Result, read_result, result_ranks_table
from cvr_bench.results.single_inputs import COMPOSITION
from cvr_bench.scoring.evaluate import evaluate
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import is_artifact_of_stage, open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import input_paths
from cvr_data.core.registry import config_dict
from cvr_data.core.trust import stored
from cvr_data.features.single_inputs import POOL_VERSION
from cvr_data.triplets.joining import triplet_distractor_inputs


@dataclass(frozen=True, kw_only=True)
class AuditRun:
    """What triplets are audited with."""

    model: str | None = None
    """One that needs no training; None asks plain scorers of one input (`audit.pool`)."""
    split: str = "test"


def is_audited_result(path: Path) -> bool:
    """Return whether a folder holds a result of `cvr bench`."""
    return is_artifact_of_stage(path, BENCH)


def audit_saved_result(config: Config, path: Path, *, overwrite: bool = False) -> dict[str, Any]:
    """Return the audit of a result, written to the folder `audit` in it.

    Raises:
        CvrError: no result is there, what it was scored on has moved or changed, or another audit lies there.
    """
    result = read_result(path)
    record = result.record
    component = MODELS.get(result.model)
    sources = _sources_of(result)
    features = AlteredFeatures(sources.encoder)
    with stored():
        retriever = component.load(MODELS.config(result.model, record["options"]), features)
    if is_trainable_retriever(retriever):
        from cvr_bench.models.parts.trained import load_model_checkpoint

        artifact = open_artifact(path)
        is_given = "checkpoint" in artifact.manifest["inputs"]
        load_model_checkpoint(retriever, artifact.input_path("checkpoint") if is_given else path, features)
    task = sources.task(record["split"])
    if [query.query_id for query in task.queries] != result.ranks.column("query_id").to_pylist():
        raise CvrError(f"{path} was scored on other queries than {sources.data} has now; bench it again.")
    return audit_result(config, result, retriever, features, task, overwrite=overwrite)


def audit_triplets(
    config: Config, leak_config: LeakConfig, sources: Sources, run: AuditRun, out: Path | None = None, *,
    overwrite: bool = False,
) -> tuple[Path, dict[str, Any]]:  # fmt: skip
    """Return where the audit of a split of triplets was written, and the audit.

    Raises:
        CvrError: the data cannot be scored, the model has to be trained, or another audit lies there.
    """
    is_packaged = sample_data_folder().resolve() in sources.data.resolve().parents
    beside = Path() if is_packaged else sources.data.parent
    writer = ArtifactWriter(
        out or beside / f"{benchmark_task_name(sources.data)}-audit",
        stage=STAGE,
        version=VERSION,
        config={**vars(run), **_asked(config, run, sources.distractors), "leaks": config_dict(leak_config)},
        inputs={
            "triplets": sources.data,
            "embeddings": sources.embeddings,
            **triplet_distractor_inputs(sources.distractors),
        },
        overwrite=overwrite,
    )
    if writer.finished() is None:
        task = sources.task(run.split)
        findings_of = _by_model(config, run.model, sources) if run.model else partial(_by_pool, config, sources)
        with writer:
            findings = findings_of(run.split)
            leaks = data_leaks(leak_config, sources, run.split)
            about: dict[str, Any] = {"model": run.model, "data": task.name, "split": run.split}
            if seen := audit_generator_leaks([sources.data], task, allowed=True):
                about |= {"generators": seen}
            write_audit(writer, findings, about, leaks)
    return writer.path, read_audit(writer.path)


def _asked(config: Config, run: AuditRun, distractors: Sequence[Path]) -> dict[str, Any]:
    if run.model:
        return {"k": config.k, "seed": config.seed}
    is_plain = bool(distractors) and not config.k  # audits of before took K of the gallery with distractors
    return {"k": config.k, "pool": POOL_VERSION, **({"k_of": "plain gallery"} if is_plain else {})}


def _by_pool(config: Config, sources: Sources, split: str) -> Findings:
    """What plain scorers of one input say."""
    started = time.monotonic()
    record, table = pool_findings(sources, split, config.k)
    seconds = {"composition": time.monotonic() - started}
    return Findings({"queries": table.num_rows, "composition": record, "seconds": seconds}, {COMPOSITION: table})


def _by_model(config: Config, model: str, sources: Sources) -> Callable[[str], Findings]:
    """What a model says that is asked again. Raises CvrError: it has to be trained."""
    features = AlteredFeatures(sources.encoder)
    retriever = MODELS.get(model).load(MODELS.config(model), features)
    if is_trainable_retriever(retriever):
        raise CvrError(f"{model} has to be trained: audit its result instead, or name a model that has not.")

    def findings_of(split: str) -> Findings:
        task = sources.task(split)
        return audit_retriever(config, retriever, features, task, result_ranks_table(task, evaluate(retriever, task)))

    return findings_of


def _sources_of(result: Result) -> Sources:
    """What a result was scored on, found by its manifest."""
    artifact = open_artifact(result.path)
    found = result.record["data"]
    inputs = artifact.manifest["inputs"]
    is_folder = "triplets" in inputs and "triplets-2" not in inputs and artifact.input_path("triplets").is_dir()
    return Sources(
        data=artifact.input_path("triplets") if is_folder else Path(found["path"]),
        embeddings=artifact.input_path("embeddings"),
        videos=tuple(input_paths(artifact, "videos").values()),
        choice="what the result was scored on",
        distractors=tuple(input_paths(artifact, "distractors").values()),
        benchmark=_benchmark_of(result.record),
        reference=result.protocol.reference if result.record.get("benchmark") is None else "exclude",
    )


def _benchmark_of(record: Mapping[str, Any]) -> Benchmark | None:
    known = record.get("benchmark")
    if known is None:
        return None
    options = {name: value for name, value in known.items() if name != "name"}
    config = BENCHMARKS.config(known["name"], {**options, "annotations": record["data"]["path"]})
    return Benchmark(known["name"], config, known["name"])

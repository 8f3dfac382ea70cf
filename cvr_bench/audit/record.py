"""An audit on disk, beside the result or the triplets it is about.

    results/sum-quickstart/audit/  audit.json  composition.parquet  temporal.parquet  manifest.json
    annotations/quickstart-audit/  the same, and leaks.parquet

Result and triplets stay as they are: an audit is a folder of its own, that can be made at any time.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_bench.audit import composition, temporal
from cvr_bench.audit.altered import AlteredFeatures
from cvr_bench.audit.data_leaks import LEAKS_FILE
from cvr_bench.audit.leak import Leaks
from cvr_bench.models.parts.retriever import Retriever
from cvr_bench.results.result import Result
from cvr_bench.results.single_inputs import AUDIT_FOLDER as FOLDER
from cvr_bench.results.single_inputs import AUDIT_STAGE as STAGE
from cvr_bench.results.single_inputs import COMPOSITION
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.whole_files import json_bytes, parquet_bytes

VERSION = 3
AUDIT, TEMPORAL = "audit.json", "temporal.parquet"


@dataclass(frozen=True, kw_only=True)
class Config:
    k: int = 0
    """A query counts as answered when a target is among so many best: what its label goes by, beside those at 1; 0 is
    one in a hundred of what it is ranked against."""
    seed: int = 0
    """Of shuffled frames."""

    def __post_init__(self) -> None:
        if self.k < 0:
            raise ValueError(f"k must be at least 1, or 0 for one in a hundred of the gallery, got {self.k}.")


@dataclass(frozen=True)
class Findings:
    """What an audit of one model on one task found."""

    record: dict[str, Any]
    tables: dict[str, pa.Table]
    """File name -> rows."""


def audit_retriever(
    config: Config, retriever: Retriever, encoder: AlteredFeatures, task: Task, ranks: pa.Table
) -> Findings:
    """Return the unimodal and temporal audits of a model made with `encoder`, whose own ranks.parquet is known."""
    record: dict[str, Any] = {"ks": list(task.ks), "queries": ranks.num_rows}
    tables = {}
    plain_Q, task = ranks.column("rank").to_numpy(), replace(task, twins={}, distractor_kinds={}, distractor_types={})
    started = time.monotonic()
    if (reason := composition.why_not_auditable(task)) is not None:
        record["composition"] = {"skipped": reason}
    else:
        unimodals = composition.audited_unimodal_ranks(retriever, encoder, task, plain_Q)
        k = config.k or composition.audit_relative_k(ranks)
        record["composition"] = composition.composition_record(ranks, unimodals, task.ks, k)
        tables[COMPOSITION] = composition.audit_composition_table(ranks, unimodals, k)
    composed = time.monotonic()
    found = temporal.temporal_variant_ranks(retriever, encoder, task, plain_Q, config.seed)
    frames = temporal.audited_frames(encoder, task)
    record["temporal"] = {"frames": frames, **temporal.temporal_record(ranks, found, task.ks)}
    tables[TEMPORAL] = temporal.audit_temporal_table(ranks, found)
    record["seconds"] = {"composition": composed - started, "temporal": time.monotonic() - composed}
    return Findings(record, tables)


def write_audit(writer: ArtifactWriter, findings: Findings, about: Mapping[str, Any], leaks: Leaks | None) -> Artifact:
    """Write the files of an audit and finish it; `about` goes to audit.json."""
    for name, table in findings.tables.items():
        writer.write_file(name, parquet_bytes(table))
    if leaks is not None:
        writer.write_file(LEAKS_FILE, parquet_bytes(leaks.table))
        about = {**about, "leaks": leaks.summary}
    writer.write_file(AUDIT, json_bytes({**findings.record, **about}))
    return writer.finish()


def read_audit(folder: Path) -> dict[str, Any]:
    """Return audit.json of an audit folder. Raises CvrError: no audit is there."""
    artifact = open_artifact(folder, STAGE)
    return read_json(artifact.path / AUDIT, dict)


def audit_of(result: Result) -> dict[str, Any] | None:
    """Return the audit of a result; None where there is none, or one of an earlier result."""
    folder = result.path / FOLDER
    if not (folder / MANIFEST).exists():
        return None
    about = open_artifact(folder, STAGE).manifest["inputs"].get("result")
    return read_audit(folder) if about and about["key"] == open_artifact(result.path).key else None


def audit_result(
    config: Config, result: Result, retriever: Retriever, encoder: AlteredFeatures, task: Task, *,
    overwrite: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Return the audit of a result, written inside it; what it leaks is said by its training.

    Raises:
        CvrError: another audit lies there.
    """
    writer = ArtifactWriter(
        result.path / FOLDER, stage=STAGE, version=VERSION, config={"k": config.k, "seed": config.seed},
        inputs={"result": result.path}, overwrite=overwrite,
    )  # fmt: skip
    if writer.finished() is None:
        with writer:
            findings = audit_retriever(config, retriever, encoder, task, result.ranks)
            leaks = result.record.get("leaks") or (result.record["training"] or {}).get("leaks")
            about = {"model": result.model, "name": result.name, "data": task.name, "leaks": leaks}
            write_audit(writer, findings, about, None)
    return read_audit(writer.path)

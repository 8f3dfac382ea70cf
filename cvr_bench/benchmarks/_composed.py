"""What benchmarks of composed retrieval share: options, and the task of those that rank the targets of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvr_bench.tasks.composed import QueryRow, Reference, composed_task, task_targets, task_videos
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import Counts

OTHER_TEXTS = {"fine": "https://github.com/SDU-L/FineCIR", "multi": "https://github.com/iLearn-Lab/ACL26-TEMA"}
"""Whose texts ask, where they are not the benchmark's own -> where they are had."""


@dataclass(frozen=True, kw_only=True)
class Composed:
    """Options of all."""

    annotations: Path
    """The folder that holds the files."""
    reference: Reference = "exclude"
    """exclude: a query's own reference is left out of its ranking, as most sets of the field have it; keep: it is
    ranked, as MTEB has it."""


@dataclass(frozen=True, kw_only=True)
class Counted(Composed):
    """Options of those whose counts are published."""

    counts: Counts = "published"
    """published: files that are not whole are refused; any: they are taken as they are."""


@dataclass(frozen=True, kw_only=True)
class RanksTargets(Composed):
    """Options of those whose gallery is the targets of all queries."""

    split: str
    gallery: Literal["targets", "named"] = "targets"
    """targets: as published; named: the references are ranked too, as distractors."""


def benchmark_of_targets(name: str, config: RanksTargets, rows: Sequence[QueryRow], **options: Any) -> Task:
    """Return the task of ranking the targets, or all that the queries name; `options` are those of `composed_task`."""
    gallery = task_targets(rows) if config.gallery == "targets" else task_videos(rows)
    protocol = Protocol(gallery=config.gallery, reference=config.reference)
    return composed_task(f"{name}-{config.split}", rows, gallery, protocol, **options)

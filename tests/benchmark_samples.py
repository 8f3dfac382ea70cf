"""Every benchmark on its hand-written sample, `annotations/samples/NAME`, as its EXAMPLE says."""

import dataclasses
from pathlib import Path

from cvr_bench.benchmarks import BENCHMARKS
from cvr_bench.data.sources import sample_data_folder
from cvr_bench.tasks.task import Task

SAMPLES = sample_data_folder() / "samples"


def sample_task(name: str, options: str = "", folder: Path | None = None) -> Task:
    """Return the task of a sample, or of another folder; options are `key=value` texts, as those of an EXAMPLE."""
    module = BENCHMARKS.get(name)
    where, *others = (field.name for field in dataclasses.fields(module.Config))
    counts = {"counts": "any"} if "counts" in others else {}
    given = dict(option.split("=", 1) for option in options.split())
    return module.load(BENCHMARKS.config(name, {where: str(folder or SAMPLES / name), **counts, **given}))


def examples_of(module) -> dict[str, tuple[int, int]]:
    """Return what a benchmark's EXAMPLE says: options -> (queries, gallery items)."""
    assert module.EXAMPLE, f"{module.__name__} has no example"
    return module.EXAMPLE


def sample_tasks() -> list[Task]:
    """Return the tasks of all options of all benchmarks' EXAMPLEs."""
    return [sample_task(name, options) for name in BENCHMARKS.names() for options in examples_of(BENCHMARKS.get(name))]

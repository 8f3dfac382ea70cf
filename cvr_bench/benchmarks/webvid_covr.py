"""WebVid-CoVR: composed video retrieval over stock footage, one short modification text per pair.

Each query has one target, and the published gallery is the 2,556 targets of the test queries, without distractors. A
query's own reference is left out of its ranking. meanR3 and meanR4 are means of the first three and of all recalls.
CoVR's text-only and visual-only rows are the models `text-only` and `visual-only` on this task. val has about 7,000
queries with machine-made texts; its exact count is not published, so it is not checked.

Paper: Ventura et al., CoVR, AAAI 2024 (https://arxiv.org/abs/2308.14746). Licence: MIT for the annotations; the videos
are WebVid's, which has been withdrawn. Files: https://huggingface.co/datasets/lucas-ventura/WebVid-CoVR.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from cvr_bench.benchmarks._composed import Counted, RanksTargets, benchmark_of_targets
from cvr_bench.tasks.composed import MEANS, task_rows, task_targets
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import check_counts, find_annotation_file, find_only_annotation_file
from cvr_data.formats import webvid_covr as layout

ORIGIN = "https://huggingface.co/datasets/lucas-ventura/WebVid-CoVR"
PUBLISHED = {"test": {"queries": 2556, "gallery videos": 2556}, "val": {}}


@dataclass(frozen=True, kw_only=True)
class Config(RanksTargets, Counted):
    annotations: Path
    """webvid8m-covr_test.csv, or the folder that holds it."""
    split: Literal["test", "val"] = "test"
    """The split to score."""


EXAMPLE = {"": (4, 4), "gallery=named": (4, 7)}


def files(config: Config) -> list[Path]:
    return [find_only_annotation_file(config.annotations, *layout.FILES[config.split], origin=ORIGIN)]


def load(config: Config) -> Task:
    (path,) = files(config)
    rows = task_rows(layout.read(layout.Config(split=config.split), path))
    found = {"queries": len(rows), "gallery videos": len(task_targets(rows))}
    check_counts(path, config.counts, found, PUBLISHED[config.split])
    return benchmark_of_targets("webvid-covr", config, rows, means=MEANS)


def training_files(config: Config) -> list[Path]:
    """Return the train file, and that of val where it is there."""
    train = find_annotation_file(config.annotations, *layout.FILES["train"], origin=ORIGIN)
    val = [path for name in layout.FILES["val"] if (path := config.annotations / name).is_file()]
    return [train, *val[:1]]


def load_triplets(config: Config) -> pa.Table:
    """Return the triplets to train on, and those to choose a checkpoint on."""
    tables = [layout.read(layout.Config(), path) for path in training_files(config)]
    return pa.concat_tables(tables, promote_options="permissive")

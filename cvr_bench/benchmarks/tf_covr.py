"""TF-CoVR: composed retrieval of gymnastics and diving clips that differ in fine detail of their motion.

A query has several targets (3.9 on average), so mAP@K is what the paper reports. The gallery is every clip that is a
target, each once; the released code keeps one column per query, repeats included. A query's own reference is left out.

Paper: Gupta et al., NeurIPS 2025 (https://arxiv.org/abs/2506.05274). Licence: MIT for the code; see the data set's
card. Files: https://huggingface.co/datasets/ucf-crcv/TF-CoVR. No count is checked, because none per split is
published.

Unseen: the published files were not at hand; the reader follows the code that reads them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.benchmarks._composed import RanksTargets, benchmark_of_targets
from cvr_bench.tasks.composed import QueryRow, numbered_task_queries
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import find_only_annotation_file
from cvr_data.formats import tf_covr as layout

ORIGIN = "https://huggingface.co/datasets/ucf-crcv/TF-CoVR"
KS = (5, 10, 25, 50)


@dataclass(frozen=True, kw_only=True)
class Config(RanksTargets):
    annotations: Path
    """test_finegd.csv, or its Parquet of the Hub, or the folder that holds it."""
    split: Literal["test", "val"] = "test"
    """The split to score."""


EXAMPLE = {"": (3, 6), "gallery=named": (3, 8)}


def files(config: Config) -> list[Path]:
    return [find_only_annotation_file(config.annotations, *layout.FILES[config.split], origin=ORIGIN)]


def load(config: Config) -> Task:
    (path,) = files(config)
    rows = [
        QueryRow(f"row-{number}", first["reference_id"], first["modification"], targets)
        for number, (first, targets) in enumerate(
            numbered_task_queries(layout.read(layout.Config(split=config.split), path))
        )
    ]
    return benchmark_of_targets("tf-covr", config, rows, ks=KS, map_ks=KS)

"""TF-CoVR: composed retrieval of gymnastics and diving clips that differ in fine detail of their motion.

A query has several targets (3.9 on average), so mAP@K is what the paper reports. The gallery is every clip that is a
target, each once; the released code keeps one column per query, repeats included. A query's own reference is left out.

Paper: Gupta et al., NeurIPS 2025 (https://arxiv.org/abs/2506.05274). Licence: MIT for the code; see the data set's
card. Files: https://huggingface.co/datasets/ucf-crcv/TF-CoVR. No count is checked, because none per split is
published.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.datasets._composed import Reference, Row, composed_task, named_targets, named_videos
from cvr_bench.datasets._files import find_only, parse_list, read_csv
from cvr_bench.protocol import Protocol
from cvr_bench.task import Task

ORIGIN = "https://huggingface.co/datasets/ucf-crcv/TF-CoVR"
COLUMNS = ("query_video", "modification", "target_video", "target_videos_ids")
KS = (5, 10, 25, 50)


@dataclass(frozen=True, kw_only=True)
class Config:
    annotations: Path
    """test_finegd.csv, or the folder that holds it."""
    split: Literal["test", "val"] = "test"
    """The split to score."""
    gallery: Literal["targets", "named"] = "targets"
    """targets: as published; named: the references are ranked too, as distractors."""
    reference: Reference = "exclude"
    """Whether a query's own reference is left out of its ranking, as published."""


TINY: tuple[dict[str, str], ...] = ({}, {"gallery": "named"})


def files(config: Config) -> list[Path]:
    """Return the files that `load` reads.

    Raises:
        CvrError: one is missing.
    """
    name = f"{config.split}_finegd.csv"
    return [find_only(config.annotations, name, f"annotations/{name}", origin=ORIGIN)]


def load(config: Config) -> Task:
    """Return the task.

    Raises:
        CvrError: the file is missing or cannot be read.
    """
    (path,) = files(config)
    rows = [
        Row(
            query_id=f"row-{number}",
            reference_id=row["query_video"],
            modification=row["modification"],
            target_ids=tuple(dict.fromkeys([row["target_video"], *_targets(row["target_videos_ids"], path, number)])),
        )
        for number, row in enumerate(read_csv(path, COLUMNS))
    ]
    gallery = named_targets(rows) if config.gallery == "targets" else named_videos(rows)
    protocol = Protocol(gallery=config.gallery, reference=config.reference)
    return composed_task(f"tf-covr-{config.split}", rows, gallery, protocol, ks=KS, map_ks=KS)


def _targets(text: str, path: Path, number: int) -> list[str]:
    return parse_list(text, f"{path}: row {number} (counted from 0), target_videos_ids")

"""Dense-WebVid-CoVR: WebVid-CoVR's pairs with long modification texts and a description of each reference.

The protocol is WebVid-CoVR's: the gallery is the targets of the queries, and a query's own reference is left out. The
description (`txt1`) is the query's `description`. The splits of the CVPR 2025 VidLLM challenge have 1,000 queries each;
`challenge-val` needs its ground truth file, and the targets of `challenge-test` are the server's: `load_blind` reads
the queries of both.

Paper: Thawakar et al., Beyond Simple Edits, ICCV 2025 (https://arxiv.org/abs/2508.14039). Licence: none stated; the
descriptions are of WebVid videos. Files: https://huggingface.co/datasets/omkarthawakar/Dense-WebVid-CoVR and, for the
challenge, https://github.com/mbzuai-oryx/CoVR-VidLLM-CVPRW25.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.benchmarks._composed import Counted, RanksTargets, benchmark_of_targets
from cvr_bench.tasks.composed import MEANS, QueryRow, composed_task, task_rows, task_targets
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import check_counts, find_only_annotation_file
from cvr_data.core.errors import CvrError
from cvr_data.formats import dense_webvid_covr as layout

ORIGIN = "https://huggingface.co/datasets/omkarthawakar/Dense-WebVid-CoVR"
CHALLENGE = "https://github.com/mbzuai-oryx/CoVR-VidLLM-CVPRW25"
QUERY_FILES = {"challenge-val": "validation_set.csv", "challenge-test": "test_set.csv"}
PUBLISHED = {
    "test": {"queries": 2556, "gallery videos": 2556},
    "challenge-val": {"queries": 1000, "gallery videos": 1000},
    "challenge-test": {"queries": 1000},
}


@dataclass(frozen=True, kw_only=True)
class Config(RanksTargets, Counted):
    annotations: Path
    """dense-webvid8m-covr_test.csv or a file of the challenge, or the folder that holds it."""
    split: Literal["test", "challenge-val", "challenge-test"] = "test"
    """The split to score; challenge-test has no published targets."""


EXAMPLE = {"": (3, 3), "split=challenge-val": (3, 3)}


def files(config: Config) -> list[Path]:
    if config.split == "test":
        return [find_only_annotation_file(config.annotations, *layout.FILES, origin=ORIGIN)]
    if config.split == "challenge-val":
        origin = f"{CHALLENGE} (in its history, commit 53816a4)"
        return [find_only_annotation_file(config.annotations, "validation_set_gt.csv", origin=origin)]
    raise CvrError("dense-webvid-covr: the targets of challenge-test are not published; its server scores it.")


def load(config: Config) -> Task:
    (path,) = files(config)
    rows = task_rows(layout.read(layout.Config(split="test"), path))
    found = {"queries": len(rows), "gallery videos": len(task_targets(rows))}
    check_counts(path, config.counts, found, PUBLISHED[config.split])
    return benchmark_of_targets("dense-webvid-covr", config, rows, means=MEANS)


def load_blind(config: Config) -> Task:
    """Return the queries of a challenge split, in the order of its file; the gallery is the server's."""
    if config.split not in QUERY_FILES:
        raise CvrError(f"dense-webvid-covr: {config.split} has published targets; only the challenge is blind.")
    path = find_only_annotation_file(config.annotations, QUERY_FILES[config.split], origin=CHALLENGE)
    queries = layout.read_dense_webvid_covr_format(path)
    published = {"queries": PUBLISHED[config.split]["queries"]}
    check_counts(path, config.counts, {"queries": queries.num_rows}, published)
    rows = [
        QueryRow(number, reference_id, text, (), description)
        for number, reference_id, text, description in zip(*queries.to_pydict().values(), strict=True)
    ]
    return composed_task(f"dense-webvid-covr-{config.split}", rows, [], Protocol(gallery="targets"))

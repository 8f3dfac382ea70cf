"""MomentSeeker-CVR: which 30 seconds of long videos a question about a clip, or a picture, means.

The gallery is the 3,092 chunks of all long videos. A chunk answers a query if it overlaps an annotated interval by half
of the shorter of the two, so queries have up to nine answers, and mAP@5 is the main score. It is CIRCO's average
precision, divided by min(5, answers); MTEB's `map_at_5` divides by all answers, and MomentSeeker's own script weighs
clips of its own cutting by their overlap in time, so its table is another measure. A clip that asks is no chunk.

Paper: Yuan et al., 2025 (https://arxiv.org/abs/2502.12558). Licence: CC BY-NC-SA 4.0. Files:
https://huggingface.co/datasets/dukesun99/MomentSeeker-CVR at e87fc71839cd14dfd09aa83b378cd51074318b3c.

Unseen: the published files were not at hand; the reader follows the code that reads them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.benchmarks._composed import Counted
from cvr_bench.benchmarks._retrieval_set import benchmark_task_of_set, set_files
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import check_counts
from cvr_data.media.retrieval_set import RetrievalSet

ORIGIN = "https://huggingface.co/datasets/dukesun99/MomentSeeker-CVR"
PUBLISHED = {"queries": 400, "chunks": 3092}


@dataclass(frozen=True, kw_only=True)
class Config(Counted):
    annotations: Path
    """The folder that the repository was downloaded to."""
    task: Literal["tv2v", "ti2v"] = "tv2v"
    """tv2v: a clip and a question ask; ti2v: a picture and a question."""


EXAMPLE = {"": (2, 4), "task=ti2v": (1, 4)}


def files(config: Config) -> list[Path]:
    return set_files(RetrievalSet(folder=config.annotations, task=config.task), ORIGIN)


def load(config: Config) -> Task:
    paths = files(config)
    found = RetrievalSet(folder=config.annotations, task=config.task)
    task = benchmark_task_of_set(f"momentseeker-{config.task}", found, config.reference, ks=(1, 5, 10), map_ks=(5,))
    counts = {"queries": len(task.queries), "chunks": len(task.gallery)}
    check_counts(paths[0].parent, config.counts, counts, PUBLISHED)
    return task

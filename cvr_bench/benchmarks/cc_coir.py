"""CC-CoIR: WebVid-CoVR's recipe on 357 thousand captioned images, 3.3 million triplets to train on.

    cvr bench --model combiner --train-data cc-coir --data cirr -e embeddings

It has no val split, and CoVR-2 chose its checkpoints on that of WebVid-CoVR; here a share of the references is held
out with all their triplets (`split=val`), so that a checkpoint can be chosen without another data set. Scoring a split
ranks the targets of its triplets, a query's own reference left out; no paper reports such numbers.

Paper: Ventura et al., CoVR-2, TPAMI 2024 (https://arxiv.org/abs/2308.14746). Licence: MIT for the annotations; the
images are Conceptual Captions'. Files: https://huggingface.co/datasets/lucas-ventura/CC-CoIR. No count is checked,
because none is published exactly.

Unseen: the published files were not at hand; the reader follows the code that reads them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from cvr_bench.benchmarks._composed import Composed
from cvr_bench.tasks.composed import composed_task, task_rows, task_targets, task_triplets_held_out
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import find_only_annotation_file
from cvr_data.core.errors import CvrError
from cvr_data.formats import cc_coir as layout

ORIGIN = "https://huggingface.co/datasets/lucas-ventura/CC-CoIR"
FILE = "cc-coir_train.csv"


@dataclass(frozen=True, kw_only=True)
class Config(Composed):
    annotations: Path
    """cc-coir_train.csv, or the folder that holds it."""
    split: Literal["train", "val"] = "train"
    """train, or the references that are held out of it."""
    held_out: float = 0.01
    """Share of the references whose triplets are the val split."""

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out must be between 0 and 1, got {self.held_out}.")


EXAMPLE = {"held_out=0.3": (4, 4), "split=val held_out=0.3": (2, 2)}


def files(config: Config) -> list[Path]:
    return [find_only_annotation_file(config.annotations, FILE, origin=ORIGIN)]


def training_files(config: Config) -> list[Path]:
    return files(config)


def load(config: Config) -> Task:
    table = load_triplets(config)
    rows = task_rows(table.filter(pc.equal(table.column("split"), config.split)))
    if not rows:
        raise CvrError(f"cc-coir: none of {table.num_rows} triplets is in {config.split}; raise or lower held_out.")
    protocol = Protocol(gallery="targets", reference=config.reference)
    return composed_task(f"cc-coir-{config.split}", rows, task_targets(rows), protocol)


def load_triplets(config: Config) -> pa.Table:
    """Return all triplets; `split` says which are held out."""
    (path,) = files(config)
    return task_triplets_held_out(layout.read(layout.Config(split="train"), path), config.held_out)

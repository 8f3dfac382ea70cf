"""FineCVR: composed video retrieval with modification texts about static and action changes.

Triplets are tab-separated without header or quoting: row, reference, target, modification text, source, class. The
remapped files name videos by number, and id2vdoname_<split>.json gives their names, by which features are stored. The
gallery is every video of that map (without it, those that the triplets name); a query's own reference is left out. Rows
with the same reference and text but other targets count one by one, as in the released code.

Paper: Wu et al., FDCA, ICLR 2025 (https://openreview.net/forum?id=wGa2plE8ka). Licence: none stated. Files: the links
in https://github.com/May2333/FDCA. No count is checked, because none is published.

Unseen: the published files were not at hand; the reader follows the code that reads them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from cvr_bench.benchmarks._composed import Composed
from cvr_bench.tasks.composed import QueryRow, composed_task, task_videos
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import find_annotation_file
from cvr_data.formats import finecvr as layout

ORIGIN = "https://github.com/May2333/FDCA"
SLICES = {"source": "video_source", "class": "class_id"}
"""Slice -> column of the triplets."""


@dataclass(frozen=True, kw_only=True)
class Config(Composed):
    annotations: Path
    """The folder `annotations` of FineCVR, or the one above it."""
    split: Literal["test", "train"] = "test"
    """The split to score; there is no validation split."""
    ids: Literal["remapped", "names"] = "remapped"
    """remapped: test_remaped.txt with its id map; names: test.txt."""


EXAMPLE = {"": (4, 5), "ids=names": (4, 5)}


def files(config: Config) -> list[Path]:
    """Return the triplets file and, where there is one, the map from ids to names."""
    stem = f"{config.split}{layout.REMAPED}" if config.ids == "remapped" else config.split
    triplets = find_annotation_file(config.annotations, f"{stem}.txt", f"annotations/{stem}.txt", origin=ORIGIN)
    names = triplets.parent / f"id2vdoname_{config.split}.json"
    if config.ids == "remapped":
        names = find_annotation_file(triplets.parent, names.name, origin=ORIGIN)
    return [triplets, names] if names.is_file() else [triplets]


def load(config: Config) -> Task:
    triplets, *maps = files(config)
    rows = _rows(layout.read(layout.Config(split=config.split), triplets))
    gallery: Sequence[str] = layout.read_finecvr_format_names(maps[0]) if maps else task_videos(rows)
    protocol = Protocol(gallery="listed" if maps else "named", reference=config.reference)
    return composed_task(f"finecvr-{config.split}", rows, gallery, protocol)


def _rows(triplets: pa.Table) -> list[QueryRow]:
    rows = []
    for number, row in enumerate(triplets.to_pylist()):
        slices = {name: row[column] for name, column in SLICES.items() if row[column]}
        own = (row["reference_id"], row["modification"], (row["target_id"],))
        rows.append(QueryRow(f"row-{number}", *own, slices=slices))
    return rows

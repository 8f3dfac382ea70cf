"""Keep at most some video pairs of a pair of captions, the most alike first.

Equally similar pairs, such as all of them where no embeddings are given, are taken in the order of a hash of their
videos: so no video is preferred, and a pair and its reverse share their fate.

Source: WebVid-CoVR keeps the 10 visually most similar pairs (https://arxiv.org/abs/2308.14746); its test pool keeps 1.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.filters._columns import mark
from cvr_data.normalise import normalised
from cvr_data.tables import content_id

NEEDS = "visual_similarity"


@dataclass(frozen=True, kw_only=True)
class Config:
    most: int = 10
    """Video pairs per ordered caption pair."""

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ValueError(f"most must be at least 1, got {self.most}.")


TINY = Config()


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "caption_pair_cap" on the less similar video pairs."""
    group_of_row = _groups(table)
    sizes = np.bincount(group_of_row)
    rows = np.flatnonzero((sizes > config.most)[group_of_row]) if len(group_of_row) else np.empty(0, np.int64)
    crowded = table.take(pa.array(rows))
    similarity = pc.fill_null(crowded.column("visual_similarity").cast(pa.float32()), -2.0).to_numpy()
    order = np.lexsort((_tie_breaks(crowded), -similarity, group_of_row[rows]))
    sorted_groups = group_of_row[rows][order]
    starts = np.flatnonzero(np.append(True, np.diff(sorted_groups) != 0)[: len(rows)])
    place = np.arange(len(rows)) - np.repeat(starts, np.diff(np.append(starts, len(rows))))
    is_dropped = np.zeros(table.num_rows, bool)
    is_dropped[rows[order[place >= config.most]]] = True
    return mark(table, pa.array(is_dropped), "caption_pair_cap")


def _groups(table: pa.Table) -> np.ndarray:
    """Return the number of each row's ordered pair of normalised captions."""
    sides = []
    for name in ("reference_caption", "target_caption"):
        written = table.column(name).combine_chunks().dictionary_encode()
        said = normalised(written.dictionary).dictionary_encode().indices.to_numpy(zero_copy_only=False)
        sides.append(said[written.indices.to_numpy(zero_copy_only=False)].astype(np.int64))
    if not table.num_rows:
        return np.empty(0, np.int64)
    return np.unique(sides[0] * (sides[1].max() + 1) + sides[1], return_inverse=True)[1]


def _tie_breaks(table: pa.Table) -> np.ndarray:
    """Return a rank per row that depends on its two videos only, not on their order."""
    sides = zip(*(table.column(f"{side}_id").to_pylist() for side in ("reference", "target")), strict=True)
    keys = pa.array([content_id(*sorted(ids)) for ids in sides], pa.string())
    return pc.rank(keys, tiebreaker="dense").to_numpy() if len(keys) else np.empty(0, np.int64)

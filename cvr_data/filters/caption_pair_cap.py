"""Keep at most some video pairs of a pair of captions, the most alike first.

Source: WebVid-CoVR keeps the 10 visually most similar pairs (https://arxiv.org/abs/2308.14746); its test pool keeps 1.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.filters._columns import mark
from cvr_data.normalise import normalised

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
    """Return the table with `drop_reason` "caption_pair_cap" on the less similar video pairs; ids break ties."""
    texts = [normalised(table.column(f"{side}_caption")) for side in ("reference", "target")]
    groups = pc.binary_join_element_wise(*texts, "\n").dictionary_encode()
    group = groups.indices.to_numpy(zero_copy_only=False)
    similarity = pc.fill_null(table.column("visual_similarity"), -2.0).to_numpy()
    ids = pc.rank(table.column("pair_id"), tiebreaker="first").to_numpy()
    order = np.lexsort((ids, -similarity, group))
    starts = np.flatnonzero(np.r_[True, np.diff(group[order]) != 0]) if len(order) else np.empty(0, np.int64)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return mark(table, pa.array(place >= config.most), "caption_pair_cap")

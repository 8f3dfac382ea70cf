"""Keep one of the two directions of a pair, or only pairs whose reverse is there as well.

With `keep=one` a hash of the two videos says which goes, so as many go one way as the other, and all pairs of two
videos go the same way; a pair without its reverse stays. WebVid-CoVR keeps both directions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.core.parts import mix_hash_bits
from cvr_data.filters._caps import (
    filter_cap_caption_keys,
    filter_cap_caption_pair_key,
    filter_cap_hash_order,
    filter_cap_video_keys,
)

MEET_BY = "caption pair"


@dataclass(frozen=True, kw_only=True)
class Config:
    keep: Literal["one", "both"] = "one"
    """`one`: of a pair and its reverse only one stays; `both`: a pair without its reverse is dropped."""


EXAMPLE = [
    {"reference_id": "v1", "target_id": "v2", "drop_reason": "other_direction_kept"},
    {
        "reference_id": "v2",
        "target_id": "v1",
        "reference_caption": "a blue ball rolls",
        "target_caption": "a red ball rolls",
        "drop_reason": None,
    },
]


def run(config: Config, table: pa.Table) -> pa.Table:
    videos, captions = filter_cap_video_keys(table), filter_cap_caption_keys(table)
    ids = [table.column(f"{side}_id") for side in ("reference", "target")]
    is_forward = pc.less(*ids).to_numpy()
    sides = [mix_hash_bits(video + caption) for video, caption in zip(videos, captions, strict=True)]
    groups, group_of_row = np.unique(np.add(*sides), return_inverse=True)  # a pair and its reverse are one group
    directions = np.zeros((len(groups), 2), bool)
    directions[group_of_row, is_forward.astype(np.int64)] = True
    has_reverse = (directions[:, 0] & directions[:, 1])[group_of_row]
    if config.keep == "both":
        return mark(table, pa.array(~has_reverse), "no_reverse")
    rows = np.flatnonzero(has_reverse)
    goes_forward = filter_cap_hash_order(table.take(pa.array(rows))) % 2 == 1
    is_dropped = np.zeros(table.num_rows, bool)
    is_dropped[rows] = is_forward[rows] != goes_forward
    return mark(table, pa.array(is_dropped), "other_direction_kept")


def key(config: Config, table: pa.Table) -> np.ndarray:
    return filter_cap_caption_pair_key(table)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    if config.keep == "both":
        return "its reverse is no pair, or was dropped before"
    return f"the pair from {row['target_id']} to {row['reference_id']} stays"

"""Keep at most some video pairs of a pair of captions, the most alike first.

Equally similar pairs, such as all of them where no embeddings are given, are taken in the order of a hash of their
videos: so no video is preferred, and a pair and its reverse share their fate.

Source: WebVid-CoVR keeps the 10 visually most similar pairs (https://arxiv.org/abs/2308.14746); its test pool keeps 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.core.columns import mark
from cvr_data.filters._caps import caption_codes, grouped, over_cap
from cvr_data.filters._columns import similarity_text

NEEDS = "visual_similarity"


@dataclass(frozen=True, kw_only=True)
class Config:
    most: int = 10
    """Video pairs per ordered caption pair."""

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ValueError(f"most must be at least 1, got {self.most}.")


EXAMPLE = [
    {"target_id": f"v{n:02}", "visual_similarity": n / 20, "drop_reason": None if n else "caption_pair_cap"}
    for n in range(11)
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "caption_pair_cap" on the less similar video pairs."""
    groups = grouped(*caption_codes(table))
    return mark(table, pa.array(over_cap(table, groups, config.most)), "caption_pair_cap")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    """Return what of a dropped row was beyond which limit."""
    return f"{config.most} other video pairs of these captions came first{similarity_text(row)}"

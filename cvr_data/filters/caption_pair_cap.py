"""Keep at most some video pairs of a pair of captions, the most alike first.

Equally similar pairs, such as all of them where no embeddings are given, are taken in the order of a hash of their
videos: so no video is preferred, and a pair and its reverse share their fate.

Source: WebVid-CoVR keeps the 10 visually most similar pairs (https://arxiv.org/abs/2308.14746); its test pool keeps 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.columns import mark
from cvr_data.core.parts import mix_hash_bits
from cvr_data.core.ranges import SIZE, option_range
from cvr_data.filters._caps import CapConfig, filter_cap_caption_keys, filter_cap_caption_pair_key, filter_rows_over_cap
from cvr_data.filters._columns import filter_similarity_text

NEEDS = "visual_similarity"
MEET_BY = "caption pair"


@dataclass(frozen=True, kw_only=True)
class Config(CapConfig):
    most: int = field(default=10, metadata=option_range(SIZE))
    """Video pairs per ordered caption pair."""


EXAMPLE = [
    {"target_id": f"v{n:02}", "visual_similarity": n / 20, "drop_reason": None if n else "caption_pair_cap"}
    for n in range(11)
]


def run(config: Config, table: pa.Table) -> pa.Table:
    reference, target = filter_cap_caption_keys(table)
    is_over = filter_rows_over_cap(
        table, mix_hash_bits(reference) + target, config.most
    )  # ordered: the reverse is a group of its own
    return mark(table, pa.array(is_over), "caption_pair_cap")


def key(config: Config, table: pa.Table) -> np.ndarray:
    return filter_cap_caption_pair_key(table)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    return f"{config.most} other video pairs of these captions came first{filter_similarity_text(row)}"

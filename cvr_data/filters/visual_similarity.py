"""Keep pairs of videos that are neither the same shot nor strangers: a band of their cosine similarity."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.filters._columns import BandConfig, explain_filter_band, mark_outside_filter_band

NEEDS = "visual_similarity"


@dataclass(frozen=True, kw_only=True)
class Config(BandConfig):
    low: float = -1.0
    """Less similar videos are dropped (cosine of the mean frame embeddings)."""
    high: float = 0.99
    """More similar videos are dropped: nothing visible changes between them."""


EXAMPLE = [
    {"visual_similarity": 0.999, "drop_reason": "video_too_similar"},
    {"visual_similarity": 0.9, "drop_reason": None},
    {"visual_similarity": None, "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    return mark_outside_filter_band(config, table, NEEDS, "video")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    return explain_filter_band(config, row, NEEDS)

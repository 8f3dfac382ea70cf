"""Keep pairs of videos that are neither the same shot nor strangers: a band of their cosine similarity."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark

NEEDS = "visual_similarity"


@dataclass(frozen=True, kw_only=True)
class Config:
    low: float = -1.0
    """Less similar videos are dropped (cosine of the mean frame embeddings)."""
    high: float = 0.99
    """More similar videos are dropped: nothing visible changes between them."""

    def __post_init__(self) -> None:
        if not -1 <= self.low < self.high <= 1:
            raise ValueError(f"low and high must rise within -1 to 1, got {self.low} and {self.high}.")


EXAMPLE = [
    {"visual_similarity": 0.999, "drop_reason": "video_too_similar"},
    {"visual_similarity": 0.9, "drop_reason": None},
    {"visual_similarity": None, "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "video_too_different" or "video_too_similar" outside the band."""
    similarity = table.column("visual_similarity")
    table = mark(table, pc.less(similarity, config.low), "video_too_different")
    return mark(table, pc.greater(similarity, config.high), "video_too_similar")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    """Return the similarity of a dropped row against the bound it is beyond."""
    value = row["visual_similarity"]
    bound = f"below {config.low}" if value < config.low else f"above {config.high}"
    return f"visual similarity {value:.3f} is {bound}"

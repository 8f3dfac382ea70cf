"""Keep clips that are neither so dark nor so bright that little can be seen.

The brightness is the median over frames of the mean luma (ITU-R BT.601), 0 to 255.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.videos.filters._band import Band, check_video_band, video_band_filter, video_filter_example_rows
from cvr_data.videos.seen import Seen, seen_video_percentile

COLUMN = "brightness"
FIELDS = (pa.field(COLUMN, pa.float64()),)
MEASURED = 1
_BAND = Band(COLUMN, "too_dark", "too_bright")


@dataclass(frozen=True, kw_only=True)
class Config:
    low: float | None = 20.0
    """Mean luma, at least: a card with red letters on black has 25."""
    high: float | None = 235.0
    """Mean luma, at most: what video calls white (BT.601)."""

    def __post_init__(self) -> None:
        check_video_band(self.low, self.high)


EXAMPLE = video_filter_example_rows(
    COLUMN, [(12.0, "too_dark"), (20.0, None), (128.0, None), (240.0, "too_bright"), (None, None)]
)


def measure(seen: Seen) -> Mapping[str, Any]:
    return {COLUMN: seen_video_percentile(seen.luma.mean(axis=(1, 2)), 50)}


run, bounds, explain = video_band_filter(_BAND)

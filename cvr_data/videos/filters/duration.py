"""Keep clips that are long enough for something to happen, and short enough for one caption.

Sources: Panda-70M drops clips below 2 s and looks at the first 60 s of others (https://arxiv.org/abs/2402.19479).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.videos.filters._band import Band, check_video_band, video_band_filter, video_filter_example_rows
from cvr_data.videos.seen import Seen

COLUMN = "seconds"
FIELDS = (pa.field(COLUMN, pa.float64()),)
MEASURED = 1
_BAND = Band(COLUMN, "too_short", "too_long", " s")


@dataclass(frozen=True, kw_only=True)
class Config:
    low: float | None = 2.0
    """Seconds that a clip has at least."""
    high: float | None = 60.0
    """Seconds that it has at most: one caption cannot tell more."""

    def __post_init__(self) -> None:
        check_video_band(self.low, self.high)


EXAMPLE = video_filter_example_rows(
    COLUMN, [(1.9, "too_short"), (2.0, None), (60.0, None), (61.0, "too_long"), (None, None)]
)


def measure(seen: Seen) -> Mapping[str, Any]:
    return {COLUMN: round(seen.info.duration_s, 3)}


run, bounds, explain = video_band_filter(_BAND)

"""Drop clips in which nothing moves: one picture that stands, such as a photograph or a title.

The motion is how far the brightness of small cells changes over the clip, in levels of 256, of the cell in twenty that
changes most: means of cells are deaf to the noise that freezedetect's bound of 0.001 of the range has to forgive
(https://ffmpeg.org/ffmpeg-filters.html#freezedetect), and hear a hand that moves in a corner.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.videos.filters._band import Band, video_band_filter, video_filter_example_rows
from cvr_data.videos.seen import Seen, seen_video_cells, seen_video_percentile

COLUMN = "motion"
FIELDS = (pa.field(COLUMN, pa.float64()),)
MEASURED = 1
CELLS = 32
"""Cells along a side."""
SHARE = 95.0
"""Percentile of the cells."""
_BAND = Band(COLUMN, "still", unit=" levels")


@dataclass(frozen=True, kw_only=True)
class Config:
    low: float = 3.0
    """Levels that the cells which change most change by, at least: a photograph with the noise of a camera has 1 to 2,
    a train far away 7 (speed/video_filters.py)."""


EXAMPLE = video_filter_example_rows(COLUMN, [(0.0, "still"), (2.9, "still"), (3.0, None), (40.0, None), (None, None)])


def measure(seen: Seen) -> Mapping[str, Any]:
    if len(seen.frames) == 1:
        return {COLUMN: 0.0}
    cells_TSR = seen_video_cells(seen.luma, CELLS)
    return {COLUMN: seen_video_percentile(np.ptp(cells_TSR, axis=0), SHARE)}


run, bounds, explain = video_band_filter(_BAND)

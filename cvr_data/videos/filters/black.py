"""Drop clips of which too many frames are black, or one flat colour: titles, fades, a lens that is covered.

A frame counts as black as for FFmpeg's blackdetect: 98 % of its pixels are not brighter than 10 % of the range
(https://ffmpeg.org/ffmpeg-filters.html#blackdetect). One whose brightness hardly varies counts, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.ranges import SHARE, Ranged, option_range
from cvr_data.videos.filters._band import Band, video_band_filter, video_filter_example_rows
from cvr_data.videos.seen import Seen

COLUMN = "black"
FIELDS = (pa.field(COLUMN, pa.float64()),)
MEASURED = 1
DARK, MOST = 0.1 * 255, 0.98
"""blackdetect's pixel_black_th and picture_black_ratio_th."""
FLAT = 1.5
"""Standard deviation of brightness, of 256 levels, below which a frame shows nothing."""
_BAND = Band(COLUMN, above="black")


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    high: float = field(default=0.5, metadata=option_range(SHARE))
    """Share of the frames that may be black or flat: with more than half, the middle frame is one."""


EXAMPLE = video_filter_example_rows(COLUMN, [(1.0, "black"), (0.5, None), (0.0, None), (None, None)])


def measure(seen: Seen) -> Mapping[str, Any]:
    is_black = (seen.luma <= DARK).mean(axis=(1, 2)) >= MOST
    is_flat = seen.luma.std(axis=(1, 2)) < FLAT
    return {COLUMN: round(float(np.mean(is_black | is_flat)), 4)}


run, bounds, explain = video_band_filter(_BAND)

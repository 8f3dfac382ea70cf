"""Drop blurred clips: those that lose little when they are blurred once more.

Source: Crete, Dolmiere, Ladret and Nicolas, "The blur effect: perception and estimation with a new no-reference
perceptual blur metric", 2007 (https://hal.science/hal-00232709): 0 is sharp, 1 has no edge. Unlike the variance of the
Laplacian it does not change with contrast.
"""

# Shapes: T frames, H height, W width.

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.ranges import SHARE, Ranged, option_range
from cvr_data.videos.filters._band import Band, video_band_filter, video_filter_example_rows
from cvr_data.videos.seen import Seen, seen_video_percentile

COLUMN = "blur"
FIELDS = (pa.field(COLUMN, pa.float64()),)
MEASURED = 1
TAPS = 9
"""Pixels of the mean that blurs once more, as in the paper."""
LEAST = 0.3
"""Levels that neighbouring pixels differ by on average, below which there is no edge to be blurred."""
_BAND = Band(COLUMN, above="blurred")


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    high: float = field(default=0.6, metadata=option_range(SHARE))
    """Blur of the median frame, at most."""


EXAMPLE = video_filter_example_rows(COLUMN, [(0.8, "blurred"), (0.6, None), (0.2, None), (None, None)])


def measure(seen: Seen) -> Mapping[str, Any]:
    found = [video_blur(picture_HW) for picture_HW in seen.luma[seen.middles]]
    known = [value for value in found if value is not None]
    return {COLUMN: seen_video_percentile(known, 50) if known else None}


def video_blur(picture_HW: np.ndarray) -> float | None:
    """Return the blur of a picture, of the direction that is blurred more; None where it has no edge."""
    found = [_blur_along(picture) for picture in (picture_HW, picture_HW.T)]
    known = [value for value in found if value is not None]
    return max(known) if known else None


def _blur_along(picture_HW: np.ndarray) -> float | None:
    """Return the share of the differences of rows that is still there when they are blurred once more."""
    padded = np.pad(picture_HW, ((TAPS // 2 + 1, TAPS // 2), (0, 0)), mode="edge")
    sums = np.cumsum(padded, axis=0, dtype=np.float64)
    blurred_HW = (sums[TAPS:] - sums[:-TAPS]) / TAPS
    sharp, soft = (np.abs(np.diff(rows.astype(np.float64), axis=0)) for rows in (picture_HW, blurred_HW))
    if sharp.mean() < LEAST:
        return None
    return float(1 - np.maximum(0, sharp - soft).sum() / sharp.sum())


run, bounds, explain = video_band_filter(_BAND)

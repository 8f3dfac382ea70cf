"""Drop shaky clips: those whose whole picture jumps to and fro from frame to frame.

The shift between neighbouring frames is that of phase correlation (Kuglin and Hines, 1975), and a clip is as shaky as
that shift changes: a steady pan has much of it and does not change it. Frames that do not go together, such as those
around a cut, are left out.
"""

# Shapes: T frames, H height, W width.

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.ranges import SHARE, Ranged, option_range
from cvr_data.videos.filters._band import Band, video_band_filter, video_filter_example_rows
from cvr_data.videos.seen import Seen, seen_video_cells

COLUMN = "shake"
FIELDS = (pa.field(COLUMN, pa.float64()),)
MEASURED = 1
SIDE = 128
"""Pixels of the square in which shifts are looked for."""
DETAIL = 0.12
"""Waves per pixel beyond which detail counts less and less."""
GOES_TOGETHER = 0.4
"""Height of the peak, of the 1 that equal pictures have, below which two frames do not go together: those of nine
real clips have 0.6 to 0.98 in the median, those of edited clips of eight frames 0.2 to 0.5."""
_BAND = Band(COLUMN, above="shaky", unit=" of a side")


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    high: float = field(default=0.015, metadata=option_range(SHARE))
    """Change of the shift from one twelfth of a second to the next, as a share of the picture's side, at most:
    a skier filmed from the hand has 0.007, the same clips shaken by 1 % of the side 0.025 to 0.05."""


EXAMPLE = video_filter_example_rows(COLUMN, [(0.03, "shaky"), (0.015, None), (0.0, None), (None, None)])


def measure(seen: Seen) -> Mapping[str, Any]:
    luma_THW = seen_video_cells(seen.luma, min(SIDE, seen.luma.shape[1]))
    changes = [change for run in seen.runs for change in _changes_of_shift(luma_THW[run])]
    return {COLUMN: round(float(np.mean(changes)), 5) if changes else None}


def _changes_of_shift(luma_THW: np.ndarray) -> list[float]:
    """Return how far each two shifts in a row that are known lie apart, as a share of the side."""
    shifts = [shaky_video_shift(*pair) for pair in pairwise(luma_THW)]
    known = [(one, other) for one, other in pairwise(shifts) if one is not None and other is not None]
    return [float(np.hypot(*np.subtract(*pair))) / luma_THW.shape[1] for pair in known]


def shaky_video_shift(first_HW: np.ndarray, second_HW: np.ndarray) -> tuple[float, float] | None:
    """Return how many pixels the second picture lies lower and further right; None where they do not go together."""
    height, width = first_HW.shape
    window_HW = np.outer(np.hanning(height), np.hanning(width))
    first, second = (np.fft.rfft2((picture - picture.mean()) * window_HW) for picture in (first_HW, second_HW))
    cross = second * first.conj()
    size = np.abs(cross)
    if size.max() <= 1e-6:
        return None
    # Fine detail is noise and compression: what is rounder than that gives one broad peak instead of many.
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    weights = np.exp(-((frequencies / DETAIL) ** 2) / 2)
    highest = np.fft.irfft2(weights, s=first_HW.shape)[0, 0]
    peaks_HW = np.fft.irfft2(cross / np.maximum(size, 1e-3 * size.mean()) * weights, s=first_HW.shape) / highest
    row, column = np.unravel_index(int(peaks_HW.argmax()), peaks_HW.shape)
    if peaks_HW[row, column] < GOES_TOGETHER:
        return None
    return _peak_along(peaks_HW[:, column], int(row)), _peak_along(peaks_HW[row], int(column))


def _peak_along(values: np.ndarray, at: int) -> float:
    """Return where a parabola through the highest of values and its neighbours is highest, as a shift either way."""
    length = len(values)
    before, top, after = (float(values[(at + step) % length]) for step in (-1, 0, 1))
    bend = before - 2 * top + after
    place = at + (0.5 * (before - after) / bend if bend < 0 else 0.0)
    return place - length if place > length / 2 else place


run, bounds, explain = video_band_filter(_BAND)

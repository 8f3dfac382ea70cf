"""What is seen of a clip in one decode: a few short runs of frames, spread over it, from which every filter measures.

A run is frames that follow one another about a twelfth of a second apart, so that motion and shaking can be told; the
runs lie in the middle of equal parts of the clip, so that the whole of it is seen. A short clip is one run.
"""

# Shapes: T frames, H height, W width.

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from cvr_data.media.clip import Clip
from cvr_data.media.perceptual_hash import hash_pixel_weights
from cvr_data.media.video import UnreadableVideo, VideoInfo, probe_medium, read_frames_and_note

VERSION = 1
"""Raised with whatever changes the frames that are looked at."""
RUNS, LENGTH = 3, 8
"""Runs of a clip, and frames of each: a quarter of the decoding that every frame of a second would take."""
RATE = 12.0
"""Frames a second within a run, or all there are: hands shake at 2 to 6 Hz, which takes twice that to see."""
SIDE = 256
"""Pixels of the side of the square that frames are looked at in, or the longer side of a smaller picture: encoders of
the field see 224 to 384."""
WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
"""Of red, green and blue in brightness (ITU-R BT.601)."""


@dataclass(frozen=True)
class Seen:
    """A few frames of a clip, and what its file says."""

    info: VideoInfo
    frames: np.ndarray
    """uint8 RGB (T, H, W, 3), square, whatever the shape of the picture."""
    runs: tuple[slice, ...]
    """Which of the frames follow one another."""

    @cached_property
    def luma(self) -> np.ndarray:
        """Brightness, float32 (T, H, W) from 0 to 255, at most `SIDE` square."""
        luma_THW = self.frames.astype(np.float32) @ WEIGHTS
        return luma_THW if luma_THW.shape[1] <= SIDE else seen_video_cells(luma_THW, SIDE)

    @property
    def middles(self) -> np.ndarray:
        """The numbers of a frame of each run, at least three where there are so many frames."""
        if len(self.runs) >= RUNS:
            return np.array([(run.start + run.stop - 1) // 2 for run in self.runs])
        count = len(self.frames)
        return np.unique(((np.arange(RUNS) + 0.5) / RUNS * count).astype(int))


def see_video(clip: Clip, side: int = SIDE) -> Seen:
    """Return what is seen of a clip, frames of at most `side` square.

    Raises:
        UnreadableVideo: it is missing or broken, or has no frame.
    """
    info = probe_medium(clip)
    runs = seen_video_frame_runs(info.frames, info.fps)
    wanted = [number for run in runs for number in run]
    size = min(side, max(info.width, info.height))
    try:
        frames = read_frames_and_note(clip, len(wanted), f"at@{','.join(map(str, wanted))}", size)
    except UnreadableVideo:  # of a damaged film fewer frames come than its packets promise: then some of these
        frames = read_frames_and_note(clip, len(wanted), "uniform", size)
        runs = [range(place, place + 1) for place in range(len(frames.pixels))]
    ends = np.cumsum([0, *(len(run) for run in runs)]).tolist()
    return Seen(info, frames.pixels, tuple(slice(*pair) for pair in pairwise(ends)))


def seen_video_frame_runs(total: int, fps: float) -> list[range]:
    """Return the runs of frame numbers that are looked at in a clip of so many frames."""
    step = max(1, round(fps / RATE))
    span = (LENGTH - 1) * step + 1
    if total <= RUNS * span:
        return [range(0, total, step)]
    middles = [(2 * place + 1) * total // (2 * RUNS) for place in range(RUNS)]
    return [range(middle - span // 2, middle - span // 2 + span, step) for middle in middles]


def seen_video_cells(pictures_THW: np.ndarray, side: int) -> np.ndarray:
    """Return the pictures as squares of this side, each pixel the mean of those it covers, whole or in part."""
    down, across = (hash_pixel_weights(side, length).astype(np.float32) for length in pictures_THW.shape[1:])
    return np.einsum("sh,thw,rw->tsr", down, pictures_THW, across, optimize=True)


def seen_video_percentile(values: np.ndarray | Sequence[float], share: float) -> float:
    """Return the percentile of values, rounded so that it is the same on every processor."""
    return round(float(np.percentile(values, share)), 4)

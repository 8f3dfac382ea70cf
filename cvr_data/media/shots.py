"""Where a film cuts from one shot to the next, by PySceneDetect's detector on frames that are decoded here.

A film is looked through in pieces, so that a long one is no more to a process than a short one. It comes with the
extra `recordings`.
"""

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from cvr_data.media.clip import Clip
from cvr_data.media.frame_decoding import frames_from
from cvr_data.media.limits import Work
from cvr_data.media.opening import open_video

if TYPE_CHECKING:
    import av

PIECE_S = 300.0
"""Of film that is looked through at once."""
BESIDE_S = 2.0
"""Before and after a piece: the detector judges a frame by its neighbours."""
SIDE = 256
"""Pixels of the longer side of what the detector looks at, as PySceneDetect shrinks frames by itself."""
REPEAT_S = 0.25
"""How long a frame may stand and still be one frame of a film of fewer a second: a drawn film, an old one, a screen."""
REPEAT_LEVELS = 1.0
"""Mean difference of two pictures, of 255, below which encoding alone made it."""


def shot_detection_film_pieces(duration_s: float) -> list[tuple[float, float]]:
    """Return start and end, in seconds, of the pieces that a film is looked through in."""
    count = max(1, math.ceil(duration_s / PIECE_S))
    return [(number * PIECE_S, (number + 1) * PIECE_S) for number in range(count)]


def shot_cuts(clip: Clip, threshold: float, work: Work) -> list[float]:
    """Return the seconds at which a shot begins inside a clip, its start not among them, rounded down to microseconds.

    Where a film of 8 frames a second comes with 24, two of three repeat the one before: beside their stillness every
    new frame would be a cut. They are passed over, but for what stands longer, such as the slides of a talk.

    Args:
        clip: a piece of a film, with both its times.
        threshold: how many times more than its neighbours a frame has to differ from the one before it, on a scale on
            which hard cuts lie far above 3 (`AdaptiveDetector.adaptive_threshold`).
        work: the limits.

    Raises:
        UnreadableVideo: there is no video.
        av.FFmpegError: it cannot be opened.
    """
    from scenedetect.common import FrameTimecode, Timecode
    from scenedetect.detectors import AdaptiveDetector

    start, end = (Fraction(str(time or 0.0)) for time in (clip.start_s, clip.end_s))
    detector = AdaptiveDetector(adaptive_threshold=threshold, min_scene_len=1)
    found: list[Fraction] = []
    with open_video(clip.path, work.limits) as opened:
        tick, origin = Fraction(opened.stream.time_base or 1), Fraction(opened.container.start_time or 0, 1_000_000)
        rate = Fraction(opened.stream.average_rate or 25)
        latest = -1
        seen: tuple[int, np.ndarray] | None = None
        for frame in frames_from(opened, float(start) - BESIDE_S, work):
            if frame.pts is None or frame.pts <= latest:
                continue
            latest = frame.pts
            if latest * tick - origin > end + Fraction(BESIDE_S):
                break
            picture = _small_picture(frame)
            if seen is not None and (latest - seen[0]) * tick < REPEAT_S and _repeats(picture, seen[1]):
                continue
            seen = latest, picture
            at = FrameTimecode(Timecode(latest, tick), fps=rate)
            cuts = detector.process_frame(at, picture)
            found += [cut.pts * tick - origin for cut in cuts if cut.pts is not None]
    return [math.floor(time * 1_000_000) / 1_000_000 for time in found if max(start, tick) <= time < end]


def _small_picture(frame: "av.VideoFrame") -> np.ndarray:
    share = min(1.0, SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * share)) for side in (frame.width, frame.height))
    return frame.reformat(width, height, "bgr24").to_ndarray()


def _repeats(picture: np.ndarray, seen: np.ndarray) -> bool:
    if picture.shape != seen.shape:
        return False
    return float(np.abs(picture.astype(np.int16) - seen).mean()) < REPEAT_LEVELS

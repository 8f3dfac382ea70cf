"""Which frames are wanted: the samplers, on frames that are evenly shown and on frames that are not.

Frames that are shown equally long are chosen by their numbers, as the published samplers do. Where they are not (a
screen recording, an animation that stands still), a number stands for the time that it would have if they were, and the
frame that a player shows then is taken; so one that stands for long may be taken several times.
"""

import numpy as np

from cvr_data.core.errors import CvrError, did_you_mean

SAMPLERS = ("uniform", "middle", "first", "per-second")
LONG_LAST = 2.0
"""Times that the last frame may be shown longer than others: containers often say something else of it."""
RATES_AGREE = 0.02
"""A rate that the header tells is believed where timestamps tell it too, up to their rounding."""


def sample_indices(total: int, count: int, sampler: str = "uniform", fps: float = 0.0) -> np.ndarray:
    """Return the frame numbers to decode, rising, at most `count` of `total`.

    uniform takes the middle of each of `count` equal segments, as CoVR does with 15
    (https://github.com/lucas-ventura/CoVR): boundaries b = int(linspace(0, total, n + 1)), index (b_k + b_k+1 - 1) //
    2. per-second takes one frame per second of `fps`, and of more than `count` an even spread with the first and the
    last, as DRL does (https://github.com/foolwood/DRL); its stride of 0 at less than half a frame per second is 1 here.

    Raises:
        CvrError: unknown sampler.
        ValueError: nothing to sample, or per-second without a frame rate.
    """
    if total < 1 or count < 1:
        raise ValueError(f"total and count must be at least 1, got {total} and {count}.")
    if sampler == "middle":
        return np.array([total // 2])
    if sampler == "first":
        return np.arange(min(count, total))
    if sampler == "per-second":
        return _every_second(total, count, fps)
    if sampler != "uniform":
        raise CvrError(f"Unknown sampler {sampler!r}. {did_you_mean(sampler, SAMPLERS)}")
    bounds = np.linspace(0, total, min(count, total) + 1).astype(np.int64)
    return (bounds[:-1] + bounds[1:] - 1) // 2


def sample_shown(
    times_s: np.ndarray, last_s: float, count: int, sampler: str = "uniform", fps: float = 0.0
) -> np.ndarray:
    """Return the numbers of the frames that a sampler takes, rising; some twice where a frame stands for long.

    Args:
        times_s: when each frame is shown, rising.
        last_s: how long the last one is.
        count: of frames, at most.
        sampler: one of `SAMPLERS`.
        fps: what the header tells; timestamps that say otherwise are believed.
    """
    total = len(times_s)
    even = np.arange(total)
    if total < 2 or sampler == "first":
        return sample_indices(total, count, sampler, fps or 1.0)
    length_s = times_s[-1] - times_s[0]
    rate = (total - 1) / length_s
    if last_s * rate <= LONG_LAST and np.array_equal(_shown_at(times_s, (even + 0.5) / rate), even):
        return sample_indices(total, count, sampler, fps if fps and abs(fps / rate - 1) < RATES_AGREE else rate)
    length_s += last_s
    if sampler == "per-second":
        seconds = max(1, int(np.ceil(length_s)))
        chosen = np.linspace(0, seconds - 1, min(count, seconds)).astype(np.int64)
        return _shown_at(times_s, chosen.astype(np.float64))
    return _shown_at(times_s, (sample_indices(total, count, sampler) + 0.5) * length_s / total)


def _shown_at(times_s: np.ndarray, after_s: np.ndarray) -> np.ndarray:
    """The frame that is shown so many seconds after the first begins."""
    return np.searchsorted(times_s, times_s[0] + after_s, side="right") - 1


def _every_second(total: int, count: int, fps: float) -> np.ndarray:
    if fps <= 0:
        raise ValueError("the frame rate is unknown, so no frame can be taken per second")
    positions = np.arange(0, total, max(1, round(fps)))
    if len(positions) <= count:
        return positions
    return positions[np.linspace(0, len(positions) - 1, count).astype(np.int64)]

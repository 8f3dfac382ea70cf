"""Which frames are wanted: the samplers, on frames that are evenly shown and on frames that are not.

Frames that are shown equally long are chosen by their numbers, as the published samplers do. Where they are not (a
screen recording, an animation that stands still), a number stands for the time that it would have if they were, and the
frame that a player shows then is taken; so one that stands for long may be taken several times.
"""

from dataclasses import dataclass

import numpy as np

from cvr_data.core.errors import CvrError, did_you_mean

SAMPLERS = ("uniform", "middle", "first", "per-second", "fps", "mteb", "mteb-stride")
RATED = ("fps", "mteb", "mteb-stride")
"""Samplers that take a rate, as in `fps@2`: so many frames of each second, `count` at most."""
AT = "at@"
"""How a sampler begins that names the frames themselves, as in `at@0,5,9`: for whoever has chosen them."""
RATE = 2.0
"""Of `fps` alone: what the processors of Qwen-VL take."""
LEAST = 4
"""Frames that `fps` takes at least, where there are so many: as those processors do."""
LONG_LAST = 2.0
"""Times that the last frame may be shown longer than others: containers often say something else of it."""
RATES_AGREE = 0.02
"""A rate that the header tells is believed where timestamps tell it too, up to their rounding."""


@dataclass(frozen=True)
class Sampled:
    """The pictures that a sampler took of a film."""

    pictures: list[np.ndarray]
    """uint8 RGB (H, W, 3), of one size."""
    note: str | None
    """What is to be said of the file."""
    places: list[int]
    """The number of each picture among the frames that there are."""
    total: int
    """How many there are."""
    fps: float
    """How many of them are shown a second, on average; 0 where nothing tells."""


def sample_indices(total: int, count: int, sampler: str = "uniform", fps: float = 0.0) -> np.ndarray:
    """Return the frame numbers to decode, rising, at most `count` of `total`; only mteb and mteb-stride repeat some.

    uniform takes the middle of each of `count` equal segments, as CoVR does with 15
    (https://github.com/lucas-ventura/CoVR): boundaries b = int(linspace(0, total, n + 1)), index (b_k + b_k+1 - 1) //
    2. per-second takes one frame per second of `fps`, and of more than `count` an even spread with the first and the
    last, as DRL does (https://github.com/foolwood/DRL); its stride of 0 at less than half a frame per second is 1 here.
    fps@2 takes two a second from the first to the last, evenly, and four at least, as the processors of Qwen-VL do.
    mteb@2 does so without the four, as MTEB does today, and mteb takes exactly `count`, repeating some where there are
    fewer; mteb-stride does what MTEB's collator did up to 2.24.0: every n-th frame for a whole n, so that of 100 frames
    and a count of 64 it takes the first 64 (https://github.com/embeddings-benchmark/mteb, modality_collators.py).

    Raises:
        CvrError: unknown sampler.
        ValueError: nothing to sample, or a rate is wanted and that of the frames is not known.
    """
    if total < 1 or count < 1:
        raise ValueError(f"total and count must be at least 1, got {total} and {count}.")
    if sampler.startswith(AT):
        return _named(total, sampler)
    name, rate = frame_sampler_and_rate(sampler)
    if name in RATED:
        return _at_rate(total, count, name, rate, fps)
    if sampler == "middle":
        return np.array([total // 2])
    if sampler == "first":
        return np.arange(min(count, total))
    if sampler == "per-second":
        return _every_second(total, count, fps)
    bounds = np.linspace(0, total, min(count, total) + 1).astype(np.int64)
    return (bounds[:-1] + bounds[1:] - 1) // 2


def frame_sampler_and_rate(sampler: str) -> tuple[str, float | None]:
    """Return the name of a sampler and the rate behind its @; None where none stands there.

    Raises:
        CvrError: there is no such sampler, or the rate is none, or one that it does not take.
    """
    name, at, given = sampler.partition("@")
    if sampler.startswith(AT):
        return name, None
    if name not in SAMPLERS:
        raise CvrError(f"Unknown sampler {sampler!r}. {did_you_mean(name, SAMPLERS)}")
    if not at:
        return name, RATE if name == "fps" else None
    try:
        rate = float(given)
    except ValueError:
        rate = 0.0
    if name not in RATED or not 0 < rate < float("inf"):
        raise CvrError(f"Sampler {sampler!r}: a rate above 0 may follow {', '.join(RATED)}, as in fps@2.")
    return name, rate


def sample_shown_frames(
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
    if total < 2 or sampler == "first" or sampler.startswith(AT):
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
    chosen = sample_indices(total, count, sampler, total / length_s)
    return _shown_at(times_s, (chosen + 0.5) * length_s / total)


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


def _named(total: int, sampler: str) -> np.ndarray:
    """The frames that are named, in the order in which they are."""
    numbers = np.array([int(number) for number in sampler.removeprefix(AT).split(",")])
    if numbers.min() < 0 or numbers.max() >= total:
        raise ValueError(f"frames {numbers.min()} to {numbers.max()} are wanted, and there are {total}")
    return numbers


def _at_rate(total: int, count: int, name: str, rate: float | None, fps: float) -> np.ndarray:
    """So many a second, or `count` where no rate is given."""
    wanted = count
    if rate is not None:
        if fps <= 0:
            raise ValueError("the frame rate is unknown, so no frames can be taken by the second")
        wanted = min(
            count, max(LEAST if name == "fps" else 1, int(round(total / fps, 6) * rate))
        )  # 12 frames of 12 a second are one second
    if name == "mteb-stride":
        chosen = np.arange(0, total, max(1, total // wanted))[:wanted]
        return np.resize(chosen, wanted) if rate is None else chosen
    if rate is None and total < wanted:
        return np.arange(wanted) * total // wanted
    return np.linspace(0, total - 1, min(wanted, total)).round().astype(np.int64)

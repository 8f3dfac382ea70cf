"""timeline: constant rates give the numbers that published samplers give, however rounded; others go by time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.core.errors import CvrError
from cvr_data.media.timeline import SAMPLERS, sample_indices, sample_shown_frames

RATES = (0.2, 8.0, 12.5, 23.976, 25.0, 29.97, 50.0, 59.94)
TICKS = (1e-3, 1 / 12_800, 1 / 90_000)


@pytest.mark.parametrize("sampler", (*SAMPLERS, "fps@0.7", "mteb@3", "mteb-stride@2"))
@given(
    total=st.integers(1, 400), count=st.integers(1, 64), rate=st.sampled_from(RATES), tick=st.sampled_from(TICKS),
    start=st.integers(-50, 50),
)  # fmt: skip
def test_a_constant_rate_gives_the_numbers_it_gave(sampler, total, count, rate, tick, start):
    times_s = np.round((start + np.arange(total)) / rate / tick) * tick
    expected = sample_indices(total, count, sampler, rate)
    assert sample_shown_frames(times_s, 1 / rate, count, sampler, rate).tolist() == expected.tolist()


@given(st.lists(st.integers(1, 500), min_size=2, max_size=60), st.integers(1, 20))
def test_uniform_frames_are_those_shown_in_the_middle_of_equal_times(gaps, count):
    times_s = np.cumsum([0, *gaps]) / 100
    chosen = sample_shown_frames(times_s, 0.1, count)
    assert len(chosen) == min(count, len(times_s))
    assert (np.diff(chosen) >= 0).all()
    is_even = np.ptp(gaps) == 0
    if not is_even and len(set(chosen.tolist())) < len(chosen):  # a frame taken twice stands longer than a segment
        repeated = [number for number in chosen if (chosen == number).sum() > 1]
        lasts_s = np.append(np.diff(times_s), 0.1)
        assert lasts_s[repeated].min() > (times_s[-1] + 0.1) / len(times_s) / 2


def test_a_rate_that_the_header_gets_wrong_is_that_of_the_timestamps():
    times_s = np.arange(100) / 25
    assert sample_shown_frames(times_s, 0.04, 12, "per-second", 1.0).tolist() == [0, 25, 50, 75]
    assert sample_shown_frames(times_s, 0.04, 12, "per-second").tolist() == [0, 25, 50, 75]


@pytest.mark.parametrize(
    ("sampler", "total", "count", "rate", "expected"),
    [
        ("fps@2", 120, 64, 30.0, [0, 17, 34, 51, 68, 85, 102, 119]),  # 4 s, 8 frames, first and last
        ("fps", 120, 4, 30.0, [0, 40, 79, 119]),  # of 8, no more than 4
        ("fps@2", 12, 64, 30.0, [0, 4, 7, 11]),  # less than a second still has four frames
        ("fps@2", 3, 64, 30.0, [0, 1, 2]),
        ("mteb@2", 12, 64, 30.0, [0]),
        ("mteb@2", 120, 64, 30.0, [0, 17, 34, 51, 68, 85, 102, 119]),
        ("mteb", 5, 3, 30.0, [0, 2, 4]),
        ("mteb", 2, 5, 30.0, [0, 0, 0, 1, 1]),
        ("mteb-stride", 100, 64, 30.0, list(range(64))),
        ("mteb-stride", 100, 3, 30.0, [0, 33, 66]),
        ("mteb-stride", 2, 5, 30.0, [0, 1, 0, 1, 0]),
        ("mteb-stride@2", 100, 64, 12.5, [0, 6, 12, 18, 24, 30, 36, 42, 48, 54, 60, 66, 72, 78, 84, 90]),
    ],
)
def test_frames_by_the_second_and_as_mteb_takes_them(sampler, total, count, rate, expected):
    assert sample_indices(total, count, sampler, rate).tolist() == expected


def test_mtebs_old_collator_never_saw_the_tail_of_a_clip():
    assert sample_indices(100, 64, "mteb-stride").max() == 63
    assert sample_indices(100, 64, "mteb").max() == 99


@pytest.mark.parametrize("sampler", ["fps@0", "fps@many", "uniform@2", "mteb@-1", "fps@inf"])
def test_a_rate_that_is_none_is_one_line(sampler):
    with pytest.raises(CvrError, match=r"as in fps@2"):
        sample_indices(10, 2, sampler, 25.0)

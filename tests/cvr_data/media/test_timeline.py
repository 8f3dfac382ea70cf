"""timeline: constant rates give the numbers that published samplers give, however rounded; others go by time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.media.timeline import SAMPLERS, sample_indices, sample_shown

RATES = (0.2, 8.0, 12.5, 23.976, 25.0, 29.97, 50.0, 59.94)
TICKS = (1e-3, 1 / 12_800, 1 / 90_000)


@pytest.mark.parametrize("sampler", SAMPLERS)
@given(
    total=st.integers(1, 400), count=st.integers(1, 64), rate=st.sampled_from(RATES), tick=st.sampled_from(TICKS),
    start=st.integers(-50, 50),
)  # fmt: skip
def test_a_constant_rate_gives_the_numbers_it_gave(sampler, total, count, rate, tick, start):
    times_s = np.round((start + np.arange(total)) / rate / tick) * tick
    expected = sample_indices(total, count, sampler, rate)
    assert sample_shown(times_s, 1 / rate, count, sampler, rate).tolist() == expected.tolist()


@given(st.lists(st.integers(1, 500), min_size=2, max_size=60), st.integers(1, 20))
def test_uniform_frames_are_those_shown_in_the_middle_of_equal_times(gaps, count):
    times_s = np.cumsum([0, *gaps]) / 100
    chosen = sample_shown(times_s, 0.1, count)
    assert len(chosen) == min(count, len(times_s))
    assert (np.diff(chosen) >= 0).all()
    is_even = np.ptp(gaps) == 0
    if not is_even and len(set(chosen.tolist())) < len(chosen):  # a frame taken twice stands longer than a segment
        repeated = [number for number in chosen if (chosen == number).sum() > 1]
        lasts_s = np.append(np.diff(times_s), 0.1)
        assert lasts_s[repeated].min() > (times_s[-1] + 0.1) / len(times_s) / 2


def test_a_rate_that_the_header_gets_wrong_is_that_of_the_timestamps():
    times_s = np.arange(100) / 25
    assert sample_shown(times_s, 0.04, 12, "per-second", 1.0).tolist() == [0, 25, 50, 75]
    assert sample_shown(times_s, 0.04, 12, "per-second").tolist() == [0, 25, 50, 75]

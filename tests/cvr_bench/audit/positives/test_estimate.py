"""estimate: cells are drawn alike, and the interval covers what worlds really hold."""

from collections import Counter

import numpy as np
import pytest

from cvr_bench.audit.positives.estimate import Stratum, audit_unfound_positives, draw_audit_cells
from cvr_data.videos.synthetic.world import sample_synthetic_world

pytestmark = pytest.mark.slow


def test_every_cell_is_drawn_as_often_as_any_other():
    counts = {"a": 3, "b": 0, "c": 1}
    drawn = Counter(cell for seed in range(4000) for cell in draw_audit_cells(counts, 1, seed))
    assert set(drawn) == {("a", 0), ("a", 1), ("a", 2), ("c", 0)}
    assert all(abs(times - 1000) < 120 for times in drawn.values())
    assert draw_audit_cells(counts, 99, 0) == [("a", 0), ("a", 1), ("a", 2), ("c", 0)]
    assert draw_audit_cells({"a": 0}, 5, 0) == []


def test_what_is_judged_whole_has_no_error():
    found = audit_unfound_positives([Stratum(cells=50, judged=50, right=7), Stratum(cells=0, judged=0, right=0)])
    assert (found.value, found.low, found.high) == (7.0, 7.0, 7.0)


def test_where_nothing_drawn_is_right_there_may_be_none_and_there_may_be_some():
    found = audit_unfound_positives([Stratum(cells=10_000, judged=100, right=0)])
    assert (found.value, found.low) == (0.0, 0.0)
    assert 100 < found.high < 400  # Jeffreys' upper end of 0 in 100 is 2.5 %


def test_without_a_verdict_there_is_no_estimate():
    assert audit_unfound_positives([Stratum(cells=10, judged=5, right=1), Stratum(cells=10, judged=0, right=0)]) is None


@pytest.fixture(scope="module")
def coverage():
    """Of 50 worlds with exact truth: how many right answers there are beside the listed ones, and the estimate."""
    return [_world(seed) for seed in range(50)]


def _world(seed):
    """A world whose clips of one concept answer the same queries, one of them listed; a ranking that half knows it."""
    clips = [clip for clip in sample_synthetic_world({"train": 0, "val": 0, "test": 150}, seed) if clip.split == "test"]
    at = np.random.default_rng(seed)
    concepts = [clip.concept for clip in clips]
    is_right_QG = np.array([[one == other for other in concepts] for one in concepts])
    is_right_QG |= at.random(is_right_QG.shape) < 0.004  # answers that no repeated clip gives
    np.fill_diagonal(is_right_QG, False)  # the listed targets
    is_near_QG = (at.random(is_right_QG.shape) < 0.1) | (is_right_QG & (at.random(is_right_QG.shape) < 0.5))
    strata = []
    for number, within_QG in enumerate((is_near_QG, ~is_near_QG)):
        places = [np.flatnonzero(row) for row in within_QG]
        counts = {f"{row:04d}": len(found) for row, found in enumerate(places)}
        drawn = draw_audit_cells(counts, 300, seed + number)
        right = sum(bool(is_right_QG[int(name), places[int(name)][at_place]]) for name, at_place in drawn)
        strata.append(Stratum(int(within_QG.sum()), len(drawn), right))
    return int(is_right_QG.sum()), audit_unfound_positives(strata, seed=seed)


@pytest.mark.slow
def test_the_interval_covers_in_at_least_ninety_of_a_hundred_worlds(coverage):
    covered = [found.low <= truth <= found.high for truth, found in coverage]
    assert np.mean(covered) >= 0.9
    assert not all(found.low == 0 for _, found in coverage)  # it says something


def test_the_estimate_is_right_on_average(coverage):
    truth, found = (np.mean(values) for values in zip(*((t, e.value) for t, e in coverage), strict=True))
    assert abs(found - truth) < 0.15 * truth

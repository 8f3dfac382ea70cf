"""shares: intervals cover what they stand for, groups count as one, and cuts that were said to be pure are."""

import numpy as np
import pytest
from scipy.stats import binomtest

from cvr_data.triplets.planning.shares import choose_triplet_score_cut, share_of, triplet_score_cuts

pytestmark = pytest.mark.slow


def test_an_interval_of_single_rows_is_that_of_clopper_and_pearson():
    found = share_of(np.arange(200) < 190, np.arange(200))
    assert (found.value, found.rows) == (0.95, 200)
    assert (found.low, found.high) == pytest.approx(tuple(binomtest(190, 200).proportion_ci()), abs=1e-12)
    assert share_of(np.zeros(0, bool), np.zeros(0)).high == 1


def test_what_is_drawn_whole_has_no_error_and_most_of_it_little():
    hits_N = np.arange(100) < 40
    assert share_of(hits_N, np.arange(100), population=100).low == 0.4
    loose, tight = (share_of(hits_N, np.arange(100), population=size) for size in (100_000, 125))
    assert loose.high - loose.low > 2 * (tight.high - tight.low)


def test_rows_of_one_group_count_as_one():
    hits_G = np.arange(40) < 30
    alone = share_of(hits_G, np.arange(40))
    together = share_of(np.repeat(hits_G, 5), np.repeat(np.arange(40), 5))
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high), abs=0.02)


def test_intervals_cover_shares_of_groups_drawn_without_replacement():
    at = np.random.default_rng(0)
    sizes_G = at.integers(1, 6, 600)
    groups_N = np.repeat(at.permutation(600), sizes_G)
    hits_N = np.repeat(at.random(600) < 0.85, sizes_G) ^ (at.random(len(groups_N)) < 0.03)
    covered = 0
    for _ in range(200):
        is_drawn_N = np.isin(groups_N, at.choice(600, 90, replace=False))
        found = share_of(hits_N[is_drawn_N], groups_N[is_drawn_N], population=len(hits_N))
        covered += found.low <= hits_N.mean() <= found.high
    assert covered >= 182  # of 200 at 95 %, less three deviations


def world(seed, rows):
    at = np.random.default_rng(seed)
    score_N = at.random(rows)
    return {"gain": score_N, "none": np.full(rows, np.nan)}, at.random(rows) < 0.7 + 0.3 * np.sqrt(score_N), at


def test_a_cut_that_was_shown_to_reach_the_wanted_purity_does_and_keeps_much():
    everything, is_right_N, _ = world(0, 20_000)
    shown = 0
    for seed in range(60):
        scores, is_right, at = world(seed, 800)
        sides = {"gain": "least", "none": "most"}
        chosen = choose_triplet_score_cut(scores, sides, is_right, at.permutation(800), wanted=0.93, alpha=0.05)
        if chosen.purity.low >= 0.93:
            shown += 1
            keeps_N = chosen.cut.keeps(everything)
            assert is_right_N[keeps_N].mean() >= 0.93
            assert chosen.kept.low - 0.02 <= keeps_N.mean() <= chosen.kept.high + 0.02
    assert shown >= 6


def test_cuts_can_be_typed_and_leave_out_tenths_at_the_bad_end():
    scores = {"gain": np.arange(11) / 10, "flat": np.ones(11), "text": np.arange(11) / 10}
    cuts = list(triplet_score_cuts(scores, {"gain": "least", "flat": "least", "text": "most"}))
    assert [cut.bound for cut in cuts if cut.score == "gain"] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    assert [int(cut.keeps(scores).sum()) for cut in cuts if cut.score == "text"] == [10, 9, 8, 7, 6, 5, 4, 3]
    assert not [cut for cut in cuts if cut.score == "flat"]
    assert choose_triplet_score_cut({}, {}, np.ones(3, bool), np.arange(3), wanted=0.9, alpha=0.05) is None

"""intervals: slow formulas, libraries that do one case, and how often they hold in worlds whose truth is known."""

import numpy as np
import pytest
from scipy.stats import beta

from cvr_bench.scoring.intervals import (
    Clusters,
    metric_holm_p,
    recall_confidence_interval,
    recall_difference_interval,
    recall_difference_p,
)


def clusters(targets, references=None):
    references = [None] * len(targets) if references is None else [str(name) for name in references]
    return Clusters.of([[str(name)] for name in targets], references)


def world(generator, share, queries=200, targets=60, references=60, spread=1.0):
    """Hits of queries that share targets and references, whose chances go together; `share` of all are hits."""
    from scipy.stats import norm

    of_target, of_reference = generator.integers(0, targets, queries), generator.integers(0, references, queries)
    effect = generator.normal(0, spread, targets)[of_target] + generator.normal(0, spread, references)[of_reference]
    level = norm.ppf(share) * np.sqrt(1 + 2 * spread**2)
    is_hit = level + effect + generator.normal(0, 1, queries) > 0
    return np.where(is_hit, 100.0, 0.0), clusters(of_target, of_reference)


def test_independent_queries_have_the_interval_of_clopper_and_pearson():
    for hits in (0, 1, 17, 50):
        values = np.repeat([100.0, 0.0], [hits, 50 - hits])
        found = recall_confidence_interval(values, clusters(range(50)))
        size = 50.0 if hits in (0, 50) else 49.0  # the variance of a sample is one with n - 1
        x = hits / 50 * size
        low = 100 * beta.ppf(0.025, x, size - x + 1) if hits else 0.0
        high = 100 * beta.ppf(0.975, x + 1, size - x) if hits < 50 else 100.0
        assert (found.value, found.low, found.high) == pytest.approx((2.0 * hits, low, high))


def test_no_hit_and_all_hits_still_leave_doubt():
    none, every = (recall_confidence_interval(np.full(100, value), clusters(range(100))) for value in (0.0, 100.0))
    assert (none.low, every.high) == (0.0, 100.0)
    assert none.high == pytest.approx(100 * (1 - 0.025 ** (1 / 100)))
    assert every.low == pytest.approx(100 - none.high)
    alone = recall_confidence_interval(np.array([100.0, 0.0]), clusters("aa"))
    assert (alone.low, alone.high) == (0.0, 100.0)


def test_the_variance_adds_what_targets_and_references_share_less_what_both_do_and_is_no_less_than_either():
    generator = np.random.default_rng(0)
    values = generator.random(40) * 100
    targets, references = generator.integers(0, 9, 40), generator.integers(0, 7, 40)
    errors = values - values.mean()

    def by(names):
        sums = [sum(error for error, name in zip(errors, names, strict=True) if name == one) for one in set(names)]
        return sum(one**2 for one in sums) * len(sums) / (len(sums) - 1) / 40**2

    both = list(zip(targets, references, strict=True))
    together = by(list(targets)) + by(list(references)) - by(both)
    expected = max(together, by(list(targets)), by(list(references)), by(both))
    assert clusters(targets, references).variance(values) == pytest.approx(expected)
    assert clusters(targets).variance(values) == pytest.approx(by(list(targets)))


def test_a_difference_has_the_interval_and_p_of_a_paired_t_test():
    from scipy.stats import ttest_rel

    generator = np.random.default_rng(1)
    first, second = generator.random(30) * 100, generator.random(30) * 100
    expected = ttest_rel(first, second)
    found = recall_difference_interval(first, second, clusters(range(30)))
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert recall_difference_p(first, second, clusters(range(30))) == pytest.approx(expected.pvalue)


def test_an_interval_leaves_out_zero_if_and_only_if_p_is_below_five_percent():
    generator = np.random.default_rng(2)
    told = set()
    for shift in np.linspace(0, 25, 60):
        first, groups = world(generator, 0.4)
        second = np.clip(first - np.where(generator.random(200) < 0.5, shift, -5), 0, 100)
        found = recall_difference_interval(first, second, groups)
        is_small = recall_difference_p(first, second, groups) < 0.05
        assert found.excludes_zero == is_small
        told.add(is_small)
    assert told == {True, False}


def test_equal_values_tell_nothing_and_the_order_nothing_either():
    first, groups = world(np.random.default_rng(3), 0.5)
    assert recall_difference_p(first, first, groups) == 1.0
    same = recall_difference_interval(first, first, groups)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    there, back = (recall_confidence_interval(values, groups) for values in (first, 100 - first))
    assert (there.low, there.high) == pytest.approx((100 - back.high, 100 - back.low))


def test_holm_is_the_step_down_of_the_paper():
    found = metric_holm_p({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert metric_holm_p({"only": 0.7}) == {"only": 0.7}


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_intervals_hold_the_truth_where_queries_share_targets_and_references(share):
    generator = np.random.default_rng(4)
    found = [recall_confidence_interval(*world(generator, share)) for _ in range(400)]
    assert np.mean([one.low <= 100 * share <= one.high for one in found]) >= 0.93


def test_p_is_even_where_there_is_no_difference_and_queries_share_references():
    generator = np.random.default_rng(5)
    found = []
    for _ in range(400):
        first, groups = world(generator, 0.4)
        shared = generator.normal(0, 20, groups.references_N.max() + 1)[groups.references_N]
        found.append(recall_difference_p(first, first + shared + generator.normal(0, 20, len(first)), groups))
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(np.array(found) < 0.5) == pytest.approx(0.5, abs=0.08)


def test_values_without_partner_are_an_error():
    with pytest.raises(ValueError, match="a reference each"):
        Clusters.of([["a"]], [])
    with pytest.raises(ValueError, match="One value per query is needed, got 3 of 2"):
        recall_confidence_interval(np.zeros(3), clusters("ab"))


@pytest.mark.parametrize("count", [2, 3, 5, 6, 10])
def test_queries_that_all_agree_tell_no_more_than_a_sign_test(count):
    from scipy.stats import binomtest

    groups, sign = clusters(range(count)), binomtest(count, count)
    for size in (100.0, 1.0, 100 / 3):
        first, second = np.full(count, size), np.zeros(count)
        assert recall_difference_p(first, second, groups) == pytest.approx(sign.pvalue)
        found = recall_difference_interval(first, second, groups)
        assert found.excludes_zero == (sign.pvalue < 0.05)
        assert found.low == pytest.approx(size * (2 * sign.proportion_ci(method="exact").low - 1))
    nearly = np.array([*[100.0] * (count - 1), 75.0])
    assert recall_difference_p(nearly, np.zeros(count), groups) >= sign.pvalue
    assert recall_difference_p(np.array([100.0, 0, 100, 0]), np.zeros(4), clusters("aabb")) == 0.5


def test_a_share_that_rounding_lifts_above_all_has_an_interval():
    found = recall_confidence_interval(np.full(100, 100 * (1 + 1e-15)), clusters(range(100)))
    assert (found.low, found.high) == (pytest.approx(100 * 0.025 ** (1 / 100)), 100.0)

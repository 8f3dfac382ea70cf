"""metrics: hand-checked numbers, slow formulas, and the whole bootstrap distribution of a tiny sample."""

import itertools
import math
import time

import numpy as np
import pytest
import pytrec_eval
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.metrics import (
    average_precision,
    bootstrap_interval,
    chance_recall,
    mean_recall,
    paired_metric_bootstrap,
    paired_metric_permutation,
    recall,
    recall_hits,
)
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.media.video import Video

RANKS = np.array([1, 2, 5, 6, 11, 60])


def test_recalls_of_six_ranks():
    assert recall(RANKS, 1) == pytest.approx(100 / 6)
    assert recall(RANKS, 5) == 50.0
    assert recall(RANKS, 10) == pytest.approx(400 / 6)
    assert recall(RANKS, 50) == pytest.approx(500 / 6)
    assert mean_recall(RANKS, (1, 5, 10, 50)) == pytest.approx((100 / 6 + 50 + 400 / 6 + 500 / 6) / 4)


def test_average_precision_divides_by_what_could_be_found():
    assert average_precision([1, 3], 5) == pytest.approx(100 * (1 + 2 / 3) / 2)
    assert average_precision([1, 3, 9, 12], 2) == pytest.approx(100 * 1 / 2)
    assert average_precision([7], 5) == 0.0


@given(st.lists(st.booleans(), min_size=1, max_size=12).filter(any), st.integers(1, 12))
def test_average_precision_is_the_sum_over_all_places(relevant, k):
    places = [place for place, is_target in enumerate(relevant, start=1) if is_target]
    expected = sum(
        sum(relevant[:place]) / place * relevant[place - 1] for place in range(1, min(k, len(relevant)) + 1)
    ) / min(k, len(places))
    assert average_precision(places, k) == pytest.approx(100 * expected)


def test_chance_is_the_share_of_orders_that_hit():
    def share(n, targets, k):
        orders = list(itertools.permutations(range(n)))
        return sum(any(place < targets for place in order[:k]) for order in orders) / len(orders)

    allowed, targets = np.array([5, 4, 5]), np.array([1, 2, 1])
    for k in (1, 2, 5, 50):
        expected = 100 * (2 * share(5, 1, k) + share(4, 2, k)) / 3
        assert chance_recall(allowed, targets, k) == pytest.approx(expected)
    assert chance_recall(np.array([1_000_000]), np.array([1]), 50) == pytest.approx(100 * 50 / 1_000_000)


def every_resample(values, clusters):
    """Each of the equally likely means of a cluster bootstrap, by drawing every list of clusters."""
    groups = [[v for v, c in zip(values, clusters, strict=True) if c == name] for name in sorted(set(clusters))]
    for drawn in itertools.product(groups, repeat=len(groups)):
        pooled = [value for group in drawn for value in group]
        yield sum(pooled) / len(pooled)


@pytest.mark.parametrize(
    ("values", "clusters"),
    [([0, 100, 100, 0, 100], list("abcde")), ([0, 100, 100, 0, 25, 75], list("aabbcd"))],
    ids=["one query per target", "targets shared by queries"],
)
def test_the_interval_is_that_of_every_possible_resample(values, clusters):
    means = sorted(every_resample(values, clusters))
    interval = bootstrap_interval(np.array(values), clusters, seed=1, resamples=200_000)
    assert interval.value == pytest.approx(np.mean(values))
    below = [sum(mean < interval.low - 1e-9 for mean in means), sum(mean <= interval.low + 1e-9 for mean in means)]
    above = [sum(mean > interval.high + 1e-9 for mean in means), sum(mean >= interval.high - 1e-9 for mean in means)]
    for strictly, loosely in (below, above):
        assert strictly / len(means) <= 0.027
        assert loosely / len(means) >= 0.023


def test_shared_targets_widen_the_interval():
    values = np.repeat([0.0, 100.0], 50)
    alone = bootstrap_interval(values, [str(n) for n in range(100)])
    shared = bootstrap_interval(values, [str(n // 10) for n in range(100)])
    width = 2 * 1.96 * 50 / math.sqrt(100)
    assert alone.high - alone.low == pytest.approx(width, rel=0.1)
    assert shared.high - shared.low == pytest.approx(width * math.sqrt(10), rel=0.1)


def test_the_interval_depends_on_the_seed_and_the_values_not_on_their_order():
    values, clusters = np.array([0, 100, 100, 0, 100, 0.0]), list("abcdef")
    first = bootstrap_interval(values, clusters, seed=3)
    assert first == bootstrap_interval(values[::-1], clusters[::-1], seed=3)


def test_a_paired_difference_is_surer_than_two_intervals():
    generator = np.random.default_rng(0)
    worse = np.where(generator.random(400) < 0.5, 100.0, 0.0)
    better = np.maximum(worse, np.where(generator.random(400) < 0.05, 100.0, 0.0))
    clusters = [str(n) for n in range(400)]
    difference = paired_metric_bootstrap(better, worse, clusters)
    assert difference.value == pytest.approx(better.mean() - worse.mean())
    assert difference.excludes_zero
    assert bootstrap_interval(worse, clusters).high > bootstrap_interval(better, clusters).low
    assert not paired_metric_bootstrap(worse, worse, clusters).excludes_zero


def test_values_without_partner_are_an_error():
    with pytest.raises(ValueError, match="One cluster per value"):
        bootstrap_interval(np.zeros(3), ["a", "b"])
    with pytest.raises(ValueError, match="Pairs are needed"):
        paired_metric_bootstrap(np.zeros(3), np.zeros(2), ["a", "b", "c"])


def test_the_p_value_is_the_share_of_all_exchanges_that_give_as_much():
    first, second = np.array([100, 100, 0, 100, 50, 100.0]), np.array([0, 0, 0, 100, 75, 0.0])
    clusters = ["a", "a", "b", "c", "d", "e"]
    groups = [np.array([name == wanted for name in clusters]) for wanted in "abcde"]
    means = []
    for exchanged in itertools.product([False, True], repeat=len(groups)):
        which = sum(group * one for group, one in zip(groups, exchanged, strict=True)).astype(bool)
        means.append(np.where(which, second - first, first - second).mean())
    expected = np.mean(np.abs(means) >= abs((first - second).mean()) - 1e-9)
    found = paired_metric_permutation(first, second, clusters, seed=1, resamples=100_000)
    assert found == pytest.approx(expected, abs=0.01)
    assert paired_metric_permutation(second, first, clusters, seed=1, resamples=100_000) == pytest.approx(
        expected, abs=0.01
    )


def test_equal_values_have_p_one_and_clear_differences_nearly_none():
    clusters = [str(n) for n in range(50)]
    assert paired_metric_permutation(np.ones(50), np.ones(50), clusters) == 1.0
    assert paired_metric_permutation(np.full(50, 100.0), np.zeros(50), clusters) == pytest.approx(1 / 10_001)


def test_p_values_are_even_where_there_is_no_difference():
    generator = np.random.default_rng(0)
    clusters = [str(n // 2) for n in range(80)]
    found = [
        paired_metric_permutation(generator.random(80), generator.random(80), clusters, seed=draw, resamples=200)
        for draw in range(400)
    ]
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(np.array(found) <= 0.5) == pytest.approx(0.5, abs=0.08)


def test_drawing_clusters_and_drawing_patterns_give_the_same_interval():
    generator = np.random.default_rng(0)
    values = generator.integers(0, 5, 300) * 25.0
    clusters = [str(n // 2) for n in range(300)]
    few = bootstrap_interval(values, clusters, resamples=40_000)
    many = bootstrap_interval(values + generator.random(300) * 1e-6, clusters, resamples=40_000)
    assert (many.low, many.high) == pytest.approx((few.low, few.high), abs=0.25)


@pytest.mark.parametrize("shared", [1, 3], ids=["plain", "by target"])
@pytest.mark.parametrize("kind", ["hits", "average precision"])
def test_ten_thousand_resamples_of_2556_queries_are_quick(kind, shared):
    generator = np.random.default_rng(0)
    values = generator.integers(0, 5, 2556) * 25.0 if kind == "hits" else generator.random(2556) * 100
    clusters = [str(n // shared) for n in range(2556)]
    started = time.process_time()  # what other processes take is not counted
    bootstrap_interval(values, clusters)
    paired_metric_permutation(values, values[::-1], clusters)
    assert time.process_time() - started < 4  # about 0.02 to 0.3 s


def test_average_precision_and_recall_are_those_of_trec_eval():
    task, scores = random_scores(queries=40, size=60)
    ranks = evaluate(GivenScores(scores), task)
    judged = {query_id: {name: 1 for name in names} for query_id, names in task.targets.items()}
    run = {
        query_id: {item.item_id: float(score) for item, score in zip(task.gallery, row, strict=True)}
        for query_id, row in scores.items()
    }
    found = pytrec_eval.RelevanceEvaluator(judged, {"map_cut_60", "success_1,5,10"}).evaluate(run)
    for row, query_id in enumerate(ranks.query_ids):
        places = ranks.target_ranks[row].as_py()
        assert average_precision(places, 60) == pytest.approx(100 * found[query_id]["map_cut_60"])
        for k in (1, 5, 10):
            assert 100 * found[query_id][f"success_{k}"] == recall_hits(ranks.rank[[row]], k)[0]


class GivenScores:
    """Scores that are given, one row per query, in the order of the item ids."""

    def __init__(self, scores):
        self.scores = scores

    def index(self, gallery):
        assert [item.item_id for item in gallery] == sorted(item.item_id for item in gallery)

    def score(self, queries):
        return torch.from_numpy(np.stack([self.scores[query.query_id] for query in queries]))


def random_scores(queries, size):
    """(a task with one to four targets per query, query_id -> float32 scores without ties)."""
    generator = np.random.default_rng(0)
    gallery = [Item(f"v{number:03d}", Video(f"v{number:03d}")) for number in range(size)]
    names = [f"q{number}" for number in range(queries)]
    targets = {
        name: frozenset(f"v{n:03d}" for n in generator.choice(size, generator.integers(1, 5), replace=False))
        for name in names
    }
    task = Task(name="drawn", queries=[Query(n, None, "text") for n in names], gallery=gallery, targets=targets)
    return task, {name: generator.permutation(size).astype(np.float32) for name in names}

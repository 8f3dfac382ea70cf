"""metrics: hand-checked numbers, and slow formulas."""

import itertools

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.metrics import average_precision, chance_recall, mean_recall, recall, recall_hits
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.media.video import Video
from tests.scored_by import ScoredBy

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


def test_average_precision_and_recall_are_those_of_trec_eval():
    task, scores = random_scores(queries=40, size=60)
    ranks = evaluate(ScoredBy(lambda query, name: scores[query][int(name[1:])]), task)
    judged = {query_id: {name: 1 for name in names} for query_id, names in task.targets.items()}
    run = {
        query_id: {item.item_id: float(score) for item, score in zip(task.gallery, row, strict=True)}
        for query_id, row in scores.items()
    }
    found = pytrec_eval.RelevanceEvaluator(judged, {"map_cut_4,5,10,25,60", "success_1,5,10"}).evaluate(run)
    for row, query_id in enumerate(ranks.query_ids):
        places = ranks.target_ranks[row].as_py()
        for k in (
            4,
            5,
            10,
            25,
            60,
        ):  # from the largest number of targets on, where min(K, targets) is what it divides by
            assert average_precision(places, k) == pytest.approx(100 * found[query_id][f"map_cut_{k}"])
        for k in (1, 5, 10):
            assert 100 * found[query_id][f"success_{k}"] == recall_hits(ranks.rank[[row]], k)[0]


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

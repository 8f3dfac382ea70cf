"""Which triplets an epoch visits: by triplet, by target, balanced, of mixed data, and next to hard ones."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.training.config import TrainConfig
from cvr_bench.training.sampling import Sampler, next_to_hard_rows, sample_training_hard_negatives
from tests.scored_by import ScoredBy


def triplets(targets, weights=()):
    return TrainingSet(
        reference_ids=[f"v{row}" for row in range(len(targets))],
        modifications=[f"text {row}" for row in range(len(targets))],
        target_ids=list(targets),
        target_group_ids=list(targets),
        weights=weights,
    )


def sampler(targets, weights=(), **options):
    return Sampler(triplets(targets, weights), TrainConfig(**{"batch_size": 2, **options}))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_by_triplet_every_row_is_visited_once_in_an_order_of_the_generator():
    found = sampler("aaabb")
    assert found.rows(seeded()) == torch.randperm(5, generator=seeded()).tolist()
    assert sorted(found.rows(seeded(1))) == list(range(5))


def test_a_smaller_last_batch_is_left_out_unless_it_is_the_only_one():
    assert [len(batch) for batch in sampler("aaabb").batches(range(5))] == [2, 2]
    assert [len(batch) for batch in sampler("aaabb", batch_size=9).batches(range(5))] == [5]
    assert (sampler("aaabb").used, sampler("aaabb", batch_size=9).used) == (4, 5)  # what the progress line counts to


def test_by_target_every_target_is_visited_once_and_in_time_with_each_of_its_triplets():
    found, generator = sampler("aaabb", sampling="target"), seeded()
    epochs = [found.rows(generator) for _ in range(40)]
    assert (found.size, found.steps) == (2, 1)
    assert all(sorted("aaabb"[row] for row in epoch) == ["a", "b"] for epoch in epochs)
    assert {row for epoch in epochs for row in epoch} == set(range(5))


@pytest.mark.parametrize(("balance", "share"), [(1.0, 0.9), (2.0, 0.75), (1e9, 0.5)])
def test_balanced_draws_a_target_in_proportion_to_a_root_of_its_triplets(balance, share):
    targets = "a" * 900 + "b" * 100
    rows = sampler(targets, sampling="balanced", balance=balance).rows(seeded())
    assert len(rows) == 1000
    assert sum(targets[row] == "a" for row in rows) / 1000 == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("sampling", ["triplet", "target"])
def test_mixed_data_has_its_weights(sampling):
    """Ten triplets of targets of their own at weight 1, ten at 2.5, ten at 0.3."""
    weights = [1.0] * 10 + [2.5] * 10 + [0.3] * 10
    found = sampler([f"t{row}" for row in range(30)], weights, sampling=sampling)
    for seed in range(3):
        counts = Counter(found.rows(seeded(seed)))
        assert sum(counts.values()) == found.size == 10 + 25 + 3
        assert [counts[row] for row in range(10)] == [1] * 10
        assert {counts[row] for row in range(10, 20)} == {2, 3}
        assert sum(counts[row] for row in range(20, 30)) == 3
    assert found.rows(seeded(0)) != found.rows(seeded(1))


def test_hard_rows_follow_their_row_and_nothing_is_visited_more_often():
    hard = [[3, 4], [0], [1], [4], [], [0, 2]]
    assert next_to_hard_rows([5, 0, 1, 2, 3, 4], hard) == [5, 0, 2, 1, 3, 4]
    assert next_to_hard_rows([0, 0, 3, 4, 1], hard) == [0, 3, 4, 0, 1]


class Described:
    """Takes the description for the query, as models that read it do."""

    def index(self, gallery):
        self.width = len(gallery)

    def score(self, queries):
        self.described = [query.description for query in queries]
        return torch.zeros(len(queries), self.width)


def test_hard_rows_are_mined_with_the_query_that_is_trained():
    found, retriever = triplets("ab"), Described()
    sample_training_hard_negatives(retriever, found, 1)
    assert retriever.described == [None, None]
    sample_training_hard_negatives(retriever, replace(found, extra={"reference_description": ["a dog", "a cat"]}), 1)
    assert retriever.described == ["a dog", "a cat"]


def test_hard_rows_are_of_the_targets_ranked_highest_by_mistake():
    """Row 3 asks what row 0 asks; c and d are near-duplicates; b is the reference of row 1."""
    found = TrainingSet(
        reference_ids=["v", "b", "w", "v"],
        modifications=["x", "x", "x", "x"],
        target_ids=["a", "b", "c", "d"],
        target_group_ids=["a", "b", "cd", "cd"],
    )
    scores = [[9.0, 1, 8, 7], [3, 9, 1, 2], [1, 2, 9, 8], [5, 4, 3, 9]]
    confusing = ScoredBy(lambda query, name: scores[int(query)]["abcd".index(name)])
    assert sample_training_hard_negatives(confusing, found, 1) == [[1], [0], [1], [1]]
    assert sample_training_hard_negatives(confusing, found, 3) == [[1], [0, 3, 2], [1, 0], [1]]

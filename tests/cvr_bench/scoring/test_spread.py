"""Ranks of shares: put together in the order of the queries, and a query of two shares counted once."""

import dataclasses

import numpy as np

from cvr_bench.scoring.evaluate import Ranks, evaluate
from cvr_bench.scoring.spread import join_scored_ranks
from cvr_bench.tasks.task import Item, Query, Task, part_of_task
from cvr_data.media.video import Video
from tests.scored_by import ScoredBy

TABLE = ScoredBy(lambda query, name: (int(query[1:]) * 7 + int(name[1:]) * 5) % 11)


def task():
    ids = [f"q{number}" for number in range(7)]
    gallery = [Item(f"g{number}", Video(f"g{number}")) for number in range(9)]
    return Task(
        name="seven",
        queries=[Query(query_id, gallery[8], "text") for query_id in ids],
        gallery=gallery,
        targets={query_id: frozenset({f"g{number}", f"g{number + 2}"}) for number, query_id in enumerate(ids)},
        subset={query_id: frozenset({f"g{number}", f"g{number + 1}"}) for number, query_id in enumerate(ids)},
        subset_ks=(1,),
        twins={"g1": frozenset({"g6"}), "g6": frozenset({"g1"})},  # of targets of q1, q4 and q6: in either share
        distractor_kinds={"g7": "mined", "g0": "near"},
    )


def test_shares_join_to_the_ranks_of_the_whole_task():
    whole = task()
    expected = evaluate(TABLE, whole)
    shares = [whole.queries[0::2], [*whole.queries[1::2], whole.queries[0]]]  # the second is filled up
    parts = [evaluate(TABLE, part_of_task(whole, share)) for share in shares]
    found = join_scored_ranks(parts, [query.query_id for query in whole.queries])
    for field in dataclasses.fields(Ranks):
        first, second = getattr(found, field.name), getattr(expected, field.name)
        assert first is not None
        assert (first.tolist() if isinstance(first, np.ndarray) else list(first)) == (
            second.tolist() if isinstance(second, np.ndarray) else list(second)
        ), field.name


def test_a_share_without_copies_joins_one_with_copies():
    whole = dataclasses.replace(task(), twins={"g1": frozenset({"g7"}), "g7": frozenset({"g1"})})
    shares = [whole.queries[2:3], [*whole.queries[:2], *whole.queries[3:]]]  # g1 and g7 answer none of the first
    parts = [evaluate(TABLE, part_of_task(whole, share)) for share in shares]
    found = join_scored_ranks(parts, [query.query_id for query in whole.queries])
    assert found.twin_rank.tolist() == evaluate(TABLE, whole).twin_rank.tolist() != found.rank.tolist()

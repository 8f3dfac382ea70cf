"""Evaluate on several devices: each ranks its share of the queries, and all get the ranks of all."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from cvr_bench.models.parts.processes import (
    gather_model_objects,
    model_is_spread,
    model_process_count,
    model_process_number,
)
from cvr_bench.models.parts.retriever import Retriever
from cvr_bench.scoring.evaluate import Ranks, evaluate
from cvr_bench.tasks.task import Missing, Task, part_of_task

LISTS = ("target_ids", "target_ranks", "top", "top_scores")
ARRAYS = ("reference_rank", "beats_reference", "subset_rank", "twin_rank", "kind_ranks")
"""Of Ranks, where a task has them."""


def evaluate_spread(retriever: Retriever, task: Task) -> Ranks:
    """Return what `evaluate` returns, in every process; alone it is `evaluate`.

    Shares are of one size, so that no process waits long; a query that fills up a share is counted once.
    """
    if not model_is_spread():
        return evaluate(retriever, task)
    count, number = model_process_count(), model_process_number()
    share = -(-len(task.queries) // count)
    places = [(number + count * step) % len(task.queries) for step in range(share)]
    own_queries = [task.queries[place] for place in dict.fromkeys(places)]
    own = evaluate(retriever, replace(part_of_task(task, own_queries), missing=Missing()))
    return join_scored_ranks(gather_model_objects(own), [query.query_id for query in task.queries])


def join_scored_ranks(parts: list[Ranks], query_ids: list[str]) -> Ranks:
    """Return the ranks of these queries, in this order; of a query that several parts have, those of the first."""
    place_of: dict[str, int] = {}
    for place, query_id in enumerate(query_id for part in parts for query_id in part.query_ids):
        place_of.setdefault(query_id, place)
    order = np.array([place_of[query_id] for query_id in query_ids], dtype=np.int64)

    def array(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])[order]

    def lists(name: str) -> pa.ChunkedArray:
        chunks = [chunk for part in parts for chunk in getattr(part, name).chunks]
        return pa.chunked_array(chunks).take(pa.array(order))

    return Ranks(
        query_ids=list(query_ids),
        rank=array("rank"),
        ties=array("ties"),
        allowed=array("allowed"),
        **{name: lists(name) for name in LISTS},
        **{name: None if getattr(parts[0], name) is None else array(name) for name in ARRAYS},
    )

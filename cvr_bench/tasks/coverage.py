"""A task within the videos that have features: what is missing is left out and counted, never silently.

The numbers of what exists come with bounds that hold for the whole, whatever the missing videos show.
"""

import dataclasses
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

import numpy as np

from cvr_bench.tasks.task import Item, Missing, Query, Task, part_of_task
from cvr_data.core.errors import CvrError

if TYPE_CHECKING:  # torch, which those who look something up do not need
    from cvr_data.features.store import FeatureStore


def task_within_features(task: Task, store: "FeatureStore") -> Task:
    """Return the task with the videos that are stored, and the queries about them that keep a target.

    Raises:
        CvrError: no query is left.
    """
    gallery = _stored(task.gallery, store)
    known = {item.item_id for item in gallery}
    named = [query.reference for query in task.queries if query.reference is not None]
    references = {item.item_id for item in _stored(named, store)}
    queries = [
        query
        for query in task.queries
        if task.targets[query.query_id] & known and (query.reference is None or query.reference.item_id in references)
    ]
    if not queries:
        raise CvrError(f"{store.artifact.path} has features of no query of {task.name}; pass --embeddings.")
    kept = part_of_task(task, queries, known)
    counts = {
        "gallery videos without features": len(task.gallery) - len(gallery),
        "targets without features": sum(len(task.targets[name]) - len(ids) for name, ids in kept.targets.items()),
        "queries about videos without features": len(task.queries) - len(queries),
    }
    return dataclasses.replace(
        kept,
        left_out={**task.left_out, **{what: count for what, count in counts.items() if count}},
        missing=missing_from_task(task, queries, known),
    )


def missing_from_task(task: Task, queries: Sequence[Query], known: Set[str]) -> Missing:
    """Return what a task lacks once only `queries` are scored and only the items `known` are ranked."""
    lost = frozenset(item.item_id for item in task.gallery) - known
    unranked = {}
    for query in queries:
        lacking = lost if task.candidates is None else task.candidates[query.query_id] & lost
        unranked[query.query_id] = len(lacking) - len(task.targets[query.query_id] & lacking)
    return Missing(
        queries=len(task.queries) - len(queries),
        unranked={name: count for name, count in unranked.items() if count},
        partial=frozenset(query.query_id for query in queries if task.targets[query.query_id] - known),
    )


def task_recall_bounds(
    ranks: np.ndarray, unranked: np.ndarray, partial: np.ndarray, lost: int, k: int
) -> tuple[float, float]:
    """Return the lowest and highest R@K, in percent, that the whole benchmark can have.

    At worst everything that is missing would rank before the targets and every query that could not be scored would
    miss; at best every such query, and every one whose missing target might rank first, would hit.

    Args:
        ranks: (Q,) rank of the best target among what was ranked.
        unranked: (Q,) how many items the query should have been ranked against as well.
        partial: (Q,) bool, whether the query lacks a target.
        lost: queries that could not be scored.
        k: K of the recall.
    """
    whole = len(ranks) + lost
    low = int((ranks + unranked <= k).sum())
    high = int(((ranks <= k) | partial).sum()) + lost
    return 100 * low / whole, 100 * high / whole


def _stored(items: Sequence[Item], store: "FeatureStore") -> list[Item]:
    """The items whose video has features, and those that are texts."""
    videos = [item.video.video_id if item.video is not None else "" for item in items]
    return [item for item, is_there in zip(items, store.has_videos(videos), strict=True) if is_there or not item.video]

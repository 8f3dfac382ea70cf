"""A task within the videos that have features: what is missing is left out and counted, never silently.

The numbers of what exists come with bounds that hold for the whole, whatever the missing videos show.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

from cvr_bench.tasks.task import Item, Missing, Query, Task, part_of_task
from cvr_data.core.errors import CvrError

if TYPE_CHECKING:  # torch, which those who look something up do not need
    from cvr_data.features.store import FeatureStore

SHOWN = 3
"""Ids that are named where none fits."""


def task_within_features(task: Task, store: "FeatureStore") -> Task:
    """Return the task with the videos that are stored, and the queries about them that keep a target.

    Raises:
        CvrError: no query is left.
    """
    gallery = _items_with_features(task.gallery, store)
    known = {item.item_id for item in gallery}
    named = [query.reference for query in task.queries if query.reference is not None]
    references = {item.item_id for item in _items_with_features(named, store)}
    seen = [query for query in task.queries if query.reference is None or query.reference.item_id in references]
    queries = [
        query
        for query in seen
        if any(task.is_allowed(query, item_id) for item_id in task.targets[query.query_id] & known)
    ]
    if not queries:
        raise CvrError(_other_videos(task, store))
    kept = part_of_task(task, queries, known)
    counts = {
        "gallery videos without features": len(task.gallery) - len(gallery),
        "targets without features": sum(len(task.targets[name]) - len(ids) for name, ids in kept.targets.items()),
        "queries about videos without features": len(task.queries)
        - len(queries)
        - (of_own := _own_targets(seen, task, known)),
        "queries whose only remaining target is their reference": of_own,
    }
    return dataclasses.replace(
        kept,
        left_out={**task.left_out, **{what: count for what, count in counts.items() if count}},
        missing=missing_from_task(task, queries, known),
    )


def missing_from_task(task: Task, queries: Sequence[Query], known: Set[str]) -> Missing:
    """Return what a task lacks once only `queries` are scored and only the items `known` are ranked."""
    lost, kept = frozenset(item.item_id for item in task.gallery) - known, {query.query_id for query in queries}

    def unranked(lists: Mapping[str, frozenset[str]] | None) -> dict[str, int]:
        counts = {}
        for name in kept:
            lacking = lost if lists is None else lists[name] & lost
            counts[name] = len(lacking) - len(task.targets[name] & lacking)
        return {name: count for name, count in counts.items() if count}

    gone = [query.query_id for query in task.queries if query.query_id not in kept]
    slices = {name: Counter(values[query_id] for query_id in gone if query_id in values)
              for name, values in task.slices.items()}  # fmt: skip
    return Missing(
        queries=len(gone),
        unranked=unranked(task.candidates),
        subset_unranked={} if task.subset is None else unranked(task.subset),
        targets={name: count for name in kept if (count := len(task.targets[name] - known))},
        slices={name: dict(sorted(counts.items())) for name, counts in slices.items() if counts},
    )


def _other_videos(task: Task, store: "FeatureStore") -> str:
    """What is said of features of other videos: often the same ones under other ids, which shows once both are seen."""
    query = task.queries[0]
    named = {query.reference.item_id} if query.reference is not None else set()
    asked = ", ".join(repr(name) for name in sorted(named | task.targets[query.query_id])[:SHOWN])
    stored = ", ".join(repr(name) for name in store.video_ids[:SHOWN]) or "no video"
    return (
        f"{store.artifact.path} has features of no query of {task.name}, whose first one needs {asked}; the features "
        f"are of {stored}; pass --embeddings, or import the videos under the ids of the task."
    )


def _own_targets(queries: Sequence[Query], task: Task, known: Set[str]) -> int:
    """How many of the queries keep no target but their own reference, which is not ranked."""
    kept = [(query, task.targets[query.query_id] & known) for query in queries]
    return sum(
        bool(ids) and query.reference is not None and ids == {query.reference.item_id} and task.exclude_reference
        for query, ids in kept
    )


def _items_with_features(items: Sequence[Item], store: "FeatureStore") -> list[Item]:
    """The items whose video has features, and those that are texts."""
    videos = [item.video.video_id if item.video is not None else "" for item in items]
    return [item for item, is_there in zip(items, store.has_videos(videos), strict=True) if is_there or not item.video]

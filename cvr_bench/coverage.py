"""A task within the videos that have features: what is missing is left out and counted, never silently."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from cvr_bench.task import Item, Task
from cvr_data.embeddings import FeatureStore
from cvr_data.errors import CvrError


def sampling(store: FeatureStore | None) -> str:
    """Return how the frames of stored features were taken, as a protocol says it."""
    options = store.encoder if store is not None else {}
    return f"{options.get('frames', 8)} {options.get('sampler', 'uniform')}"


def within_features(task: Task, store: FeatureStore) -> Task:
    """Return the task with the videos that are stored, and the queries about them that keep a target.

    Raises:
        CvrError: no query is left.
    """
    gallery = [item for item in task.gallery if _is_there(item, store)]
    known = {item.item_id for item in gallery}
    targets = {query_id: ids & known for query_id, ids in task.targets.items()}
    queries = [
        query
        for query in task.queries
        if targets[query.query_id] and (query.reference is None or _is_there(query.reference, store))
    ]
    if not queries:
        raise CvrError(f"{store.artifact.path} has features of no query of {task.name}; pass --embeddings.")
    kept = {query.query_id for query in queries}
    counts = {
        "gallery videos without features": len(task.gallery) - len(gallery),
        "targets without features": sum(len(task.targets[name]) - len(targets[name]) for name in kept),
        "queries about videos without features": len(task.queries) - len(queries),
    }
    return dataclasses.replace(
        task,
        queries=queries,
        gallery=gallery,
        targets=_only(targets, kept),
        candidates=None if task.candidates is None else {name: task.candidates[name] & known for name in kept},
        protocol=dataclasses.replace(task.protocol, frames=sampling(store)),
        slices={name: _only(values, kept) for name, values in task.slices.items()},
        target_frame_weights=_only(task.target_frame_weights, kept),
        left_out={**task.left_out, **{what: count for what, count in counts.items() if count}},
    )


def _is_there(item: Item, store: FeatureStore) -> bool:
    return item.video is None or store.has_video(item.video.video_id)


def _only(values: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in names}

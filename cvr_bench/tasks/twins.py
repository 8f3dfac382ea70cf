"""Gallery items that are copies of each other, so that a right answer can be counted as a wrong one.

Copies are videos whose sampled frames have one perceptual hash, or whose features have the same mean to the last bit.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cvr_bench.tasks.task import Item, Task, part_of_task

if TYPE_CHECKING:  # torch, which those who look something up do not need
    from cvr_data.features.store import FeatureStore

CHUNK = 4096
"""Videos whose features are read at once."""


def task_twins_in_store(gallery: Sequence[Item], store: "FeatureStore") -> dict[str, frozenset[str]]:
    """Return item_id -> the other items that are copies of it, by their features; items without one are left out."""
    names = {item.video.video_id: item.item_id for item in gallery if item.video is not None}
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    ids = list(names)
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        rows = store.raw().pooled(chunk).numpy()
        for video_id, picture, row in zip(chunk, store.perceptual_hashes(chunk), rows, strict=True):
            groups["features", hashlib.sha256(row.tobytes()).hexdigest()].add(names[video_id])
            if picture:
                groups["picture", picture].add(names[video_id])
    found: dict[str, set[str]] = defaultdict(set)
    for members in groups.values():
        for name in members if len(members) > 1 else ():
            found[name] |= members - {name}
    return {name: frozenset(others) for name, others in found.items()}


def task_target_twins(task: Task, twins: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Return query_id -> the copies of its targets that do not answer it by the task, its reference left out."""
    found = {}
    for query in task.queries if twins else ():
        targets = task.targets[query.query_id]
        copies = frozenset().union(*(twins.get(name, frozenset()) for name in targets)) - targets
        if allowed := frozenset(name for name in copies if task.is_allowed(query, name)):
            found[query.query_id] = allowed
    return found


def task_counting_twins(task: Task, twins: Mapping[str, frozenset[str]]) -> Task | None:
    """Return the queries whose targets have copies, with these as targets too; None where there is no such query."""
    copies = task_target_twins(task, twins)
    if not copies:
        return None
    part = part_of_task(task, [query for query in task.queries if query.query_id in copies])
    return replace(part, targets={name: ids | copies[name] for name, ids in part.targets.items()})

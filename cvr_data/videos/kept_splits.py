"""Keeps the splits and groups of an earlier version of a set of videos that has grown since.

A split drawn anew moves no video by itself, but a new near-duplicate can: it may join two groups, or give a group
another first member. Here what was kept stays as it was, and the new videos give way.
"""

from collections import defaultdict

import pyarrow as pa

from cvr_data.core.columns import with_column

JOINS = "joins_kept_splits"


def keep_splits(assigned: pa.Table, given: list[str | None], earlier: pa.Table) -> pa.Table:
    """Return the videos with `split` and `group_id` of the earlier version where that had them.

    A new video that is a near-duplicate of an earlier one joins its group and split. It is dropped as
    `near_duplicate_of_kept_train` (or `_val`, `_test`) if the corpus gives it another split, and as `joins_kept_splits`
    if it is a near-duplicate of videos in several.

    Args:
        assigned: what `split_videos` gave for all videos, where equal `group_id` means near-duplicates.
        given: the corpus' own split of each video.
        earlier: kept rows of the earlier artifact.
    """
    names = ("video_id", "split", "group_id")
    known = {row[0]: row[1:] for row in zip(*(earlier.column(name).to_pylist() for name in names), strict=True)}
    rows = list(zip(*(assigned.column(name).to_pylist() for name in (*names, "drop_reason")), strict=True))
    kept_of: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for video_id, _, group_id, _ in rows:
        if video_id in known:
            kept_of[group_id].add(known[video_id])
    placed = [
        (*known[video_id], None)
        if video_id in known
        else _place_new(kept_of.get(group_id, set()), split, group_id, reason, own)
        for (video_id, split, group_id, reason), own in zip(rows, given, strict=True)
    ]
    for place, name in enumerate(("split", "group_id", "drop_reason")):
        column = pa.array([values[place] for values in placed], pa.string())
        assigned = with_column(assigned, name, column)
    return assigned


def _place_new(
    kept: set[tuple[str, str]], split: str, group_id: str, reason: str | None, own: str | None
) -> tuple[str, str, str | None]:
    """Split, group and drop reason of a new video; `kept` are the splits and groups it is a near-duplicate of."""
    if not kept:
        return split, group_id, reason
    splits = {found for found, _ in kept}
    group = min(found for _, found in kept)
    if len(splits) > 1:
        return split, group, JOINS
    [only] = splits
    if own is not None and split != only:
        return split, group, reason if reason == "not_at_hand" else f"near_duplicate_of_kept_{only}"
    return only, group, None

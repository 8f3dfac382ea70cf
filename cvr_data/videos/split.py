"""Writes a videos artifact again, with near-duplicate groups and splits."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, ArtifactWriter, open_artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict
from cvr_data.core.stages import split_dropped
from cvr_data.media.perceptual_hash import media_hashes
from cvr_data.media.places import moved_media, videos_of
from cvr_data.tables import VIDEOS
from cvr_data.videos.near_duplicates import (
    SPLITS,
    VERSION,
    Config,
    equal_hash_pairs,
    group_ids,
    similar_pairs,
    split_videos,
)
from cvr_data.videos.recordings import segments


def split_artifact(
    videos: Path,
    embeddings: Path | None,
    config: Config,
    out: Path,
    *,
    keep: Path | None = None,
    overwrite: bool = False,
) -> Artifact:
    """Return the artifact of videos with `group_id` and `split`; those of `keep`, an earlier one, stay as they were.

    Without embeddings the media are decoded, and only videos of equal perceptual hash are grouped. Videos without
    features are groups of their own.

    Raises:
        CvrError: not a videos table, an unknown split, or embeddings of none of the videos.
    """
    named = {"videos": videos, "embeddings": embeddings, "keep": keep}
    inputs = {name: folder for name, folder in named.items() if folder is not None}
    writer = ArtifactWriter(
        out, stage="split", version=VERSION, config=config_dict(config), inputs=inputs, overwrite=overwrite
    )
    if (done := writer.finished()) is not None:
        return done
    table = check_columns(open_artifact(videos).read(), VIDEOS, str(videos))
    with writer:
        ids = table.column("video_id").to_pylist()
        alike = _alike(table, videos, embeddings, config)
        recordings = pc.fill_null(segments(table).column("recording"), "").to_pylist()
        groups = group_ids(ids, alike)
        kin = group_ids(ids, [*alike, *equal_hash_pairs(recordings)])
        assigned = split_videos(config, moved_media(table, videos, out), groups, kin)
        if keep is not None:
            earlier = check_columns(open_artifact(keep, "split").read(), VIDEOS, str(keep))
            assigned = keep_splits(assigned, table.column("split").to_pylist(), earlier, kin)
        if config.need_features:
            assigned = _without_features(assigned, embeddings)
        kept, dropped = split_dropped(assigned)
        writer.write_part(0, kept, dropped=dropped)
        counts = Counter(kept.column("split").to_pylist())
        sizes = Counter(groups)
        return writer.finish(
            splits={name: counts[name] for name in reversed(SPLITS)},
            groups=len(sizes),
            largest_group=max(sizes.values(), default=0),
        )


def _alike(table: pa.Table, videos: Path, embeddings: Path | None, config: Config) -> list[tuple[int, int]]:
    """The pairs of rows that are near-duplicates."""
    if embeddings is None:
        clips = [None if video.path is None else video.clip for video in videos_of(table, videos)]
        return list(equal_hash_pairs(media_hashes(clips)))
    from cvr_data.features.store import FeatureStore

    ids = table.column("video_id").to_pylist()
    store = FeatureStore.open(embeddings, space="raw")
    rows = store.has_videos(ids).nonzero()[0].tolist()
    known = [ids[row] for row in rows] or ids  # none known: let the store name the first
    pairs = [
        *similar_pairs(store.pooled(known).numpy(), config.threshold),
        *equal_hash_pairs(store.perceptual_hashes(known)),
    ]
    return [(rows[first], rows[second]) for first, second in pairs]


def _without_features(table: pa.Table, embeddings: Path | None) -> pa.Table:
    """The table with `no_features` as the reason of videos that the embeddings lack."""
    if embeddings is None:
        raise CvrError("split: need_features asks for --embeddings.")
    from cvr_data.features.store import FeatureStore

    known = pa.array(FeatureStore.open(embeddings, space="raw").video_ids, pa.string())
    is_known = pc.is_in(table.column("video_id"), known)
    reason = pc.if_else(is_known, table.column("drop_reason"), pc.fill_null(table.column("drop_reason"), "no_features"))
    return with_column(table, "drop_reason", reason)


JOINS = "joins_kept_splits"


def keep_splits(
    assigned: pa.Table, given: list[str | None], earlier: pa.Table, kin_ids: Sequence[str] | None = None
) -> pa.Table:
    """Return the videos with `split` and `group_id` of the earlier version where that had them.

    A split drawn anew moves no video by itself, but a new near-duplicate may join two groups or give one another first
    member: here the new videos give way. One that is a near-duplicate of an earlier video joins its group and split; it
    is dropped as `near_duplicate_of_kept_train` (or `_val`, `_test`) if the corpus gives it another split, and as
    `joins_kept_splits` if it is a near-duplicate of videos in several. A clip of an earlier video's recording joins its
    split likewise, or is dropped as `same_recording_as_kept_train`.

    Args:
        assigned: what `split_videos` gave for all videos, where equal `group_id` means near-duplicates.
        given: the corpus' own split of each video.
        earlier: kept rows of the earlier artifact.
        kin_ids: equal for near-duplicates and clips of one recording; default: the groups.
    """
    names = ("video_id", "split", "group_id")
    known = {row[0]: row[1:] for row in zip(*(earlier.column(name).to_pylist() for name in names), strict=True)}
    rows = list(zip(*(assigned.column(name).to_pylist() for name in (*names, "drop_reason")), strict=True))
    kin = assigned.column("group_id").to_pylist() if kin_ids is None else kin_ids
    kept_groups: dict[str, set[str]] = defaultdict(set)
    kept_splits: dict[str, set[str]] = defaultdict(set)
    for (video_id, _, group_id, _), kin_id in zip(rows, kin, strict=True):
        if video_id in known:
            kept_groups[group_id].add(known[video_id][1])
            kept_splits[kin_id].add(known[video_id][0])
    placed = [
        (*known[video_id], None)
        if video_id in known
        else _place_new(
            (split, group_id, reason), own, kept_splits.get(kin_id, set()), kept_groups.get(group_id, set())
        )
        for (video_id, split, group_id, reason), own, kin_id in zip(rows, given, kin, strict=True)
    ]
    for place, name in enumerate(("split", "group_id", "drop_reason")):
        column = pa.array([values[place] for values in placed], pa.string())
        assigned = with_column(assigned, name, column)
    return assigned


def _place_new(
    placed: tuple[str, str, str | None], own: str | None, kept_splits: set[str], kept_groups: set[str]
) -> tuple[str, str, str | None]:
    """Split, group and drop reason of a new video, given the splits of its kept kin and groups of its kept likes."""
    split, group_id, reason = placed
    if not kept_splits:
        return placed
    group = min(kept_groups, default=group_id)
    if len(kept_splits) > 1:
        return split, group, JOINS
    [only] = kept_splits
    if own is not None and split != only:
        why = "near_duplicate_of" if kept_groups else "same_recording_as"
        return split, group, reason if reason == "not_at_hand" else f"{why}_kept_{only}"
    return only, group, None

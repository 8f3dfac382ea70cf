"""Writes a videos artifact again, with near-duplicate groups and splits."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns, mark, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.parts import hash_bucket_keys
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import ByColumn, KeyedStep, Side, Step
from cvr_data.core.whole_files import read_parquet
from cvr_data.media.places import missing_media_record, moved_media, refuse_arrived_media
from cvr_data.tables import VIDEOS
from cvr_data.videos.deal import Dealt
from cvr_data.videos.deal_queries import Queries, check_video_split_queries, deal_kin_by_queries, video_split_record
from cvr_data.videos.kin import Kin, kin_of_videos, video_kin_names, video_kin_store_sides
from cvr_data.videos.near_duplicates import SPLITS, VERSION, Config, split_videos


def split_video_artifact(
    videos: Path,
    embeddings: Path | None,
    config: Config,
    out: Path,
    *,
    keep: Path | None = None,
    queries: Queries | None = None,
    overwrite: bool = False,
) -> Artifact:
    """Return the artifact of videos with `group_id` and `split`; those of `keep`, an earlier output, stay as they were.

    Without embeddings the media are decoded, and only videos of equal perceptual hash are grouped. Videos without
    features are groups of their own. Where `queries` says how many val and test should have, pairs decide who goes
    there.

    Raises:
        CvrError: not a videos table, an unknown split, embeddings of none of the videos, pairs that are too few, or
            splits given by the corpus where queries are asked for.
    """
    named = {"videos": videos, "embeddings": embeddings, "keep": keep, "pairs": queries and queries.pairs}
    inputs = {name: folder for name, folder in named.items() if folder is not None}
    asked = {"queries": dict(queries.wanted)} if queries else {}
    run = StageRun(
        out, stage="split", version=VERSION, config={**config_dict(config), **asked}, inputs=inputs, overwrite=overwrite
    )
    if (done := run.finished()) is not None:
        return refuse_arrived_media(done, videos)
    if config.need_features and embeddings is None:
        raise CvrError("split: need_features asks for --embeddings.")
    if queries is not None:
        check_video_split_queries(videos, queries, reads_given=config.given == "keep")
    with run:
        kin = kin_of_videos(run, videos, embeddings, config.threshold)
        dealt = deal_kin_by_queries(run, queries, kin, config.seed) if queries else None
        about = _Places(videos, out.resolve(), dealt, ignores_given=config.given == "ignore")
        sides = (kin, *(video_kin_store_sides(embeddings) if config.need_features else ()))
        flows = [_placed_flow(run, about, sides), *([] if keep is None else [_kept_flow(run, keep, kin)])]
        assigned = KeyedStep(
            name="split", run=_assigned, config=config, key=ByColumn(_KIN), makes_rows=keep is not None
        )
        run.write_parts(run.meet(flows, assigned))
        return run.finish(
            **_split_counts(run, kin, has_features=embeddings is not None),
            **(video_split_record(dealt) if dealt else {}),
            **(missing_media_record(videos) if embeddings is None else {}),
        )


def _placed_flow(run: StageRun, about: "_Places", sides: Sequence[Side]) -> Flow:
    """The videos that are to be split."""
    rows = run.read(about.videos, required=[field.name for field in VIDEOS if not field.nullable])
    return rows.then(Step(name="place", run=_placed, config=about, sides=tuple(sides), is_counted=False))


def _kept_flow(run: StageRun, keep: Path, kin: Side) -> Flow:
    """The videos of an earlier output, which stay where they are."""
    open_artifact(keep, "split")
    return run.read(keep, _KEPT, _KEPT).then(Step(name="kept", run=_earlier, sides=(kin,), is_counted=False))


_KEPT = ("video_id", "split", "group_id")
_GROUP, _KIN, _KNOWN, _EARLIER, _DEALT = "_group", "_kin", "_is_known", "_is_earlier", "_dealt"


@dataclass(frozen=True)
class _Places:
    videos: Path
    out: Path
    dealt: Dealt | None
    ignores_given: bool


def _placed(about: _Places, videos: pa.Table, kin: Kin, *stores: Any) -> pa.Table:
    """The videos with their media's new places, and what tells which have to meet."""
    videos = moved_media(check_columns(videos, VIDEOS, str(about.videos)), about.videos, about.out)
    for store in stores:
        videos = with_column(videos, _KNOWN, pa.array(store.has_videos(videos.column("video_id").to_pylist())))
    if about.ignores_given:
        videos = with_column(videos, "split", pa.nulls(videos.num_rows, pa.string()))
    videos = _with_kin(videos, kin)
    if about.dealt is None:
        return videos
    return with_column(videos, _DEALT, pa.array(about.dealt.of(videos.column(_KIN).to_numpy()), pa.string()))


def _earlier(config: None, earlier: pa.Table, kin: Kin) -> pa.Table:
    return _with_kin(earlier, kin).append_column(_EARLIER, pa.array(np.ones(earlier.num_rows, bool)))


def _with_kin(videos: pa.Table, kin: Kin) -> pa.Table:
    found = kin.of(hash_bucket_keys(videos.column("video_id")))
    for name, column in zip((_GROUP, _KIN), found, strict=True):
        videos = videos.append_column(name, pa.array(column))
    return videos


def _assigned(config: Config, bucket: pa.Table) -> pa.Table:
    """The videos of whole kins, with those of an earlier split among them, in their splits and groups."""
    earlier = None
    if _EARLIER in bucket.column_names:
        is_earlier = pc.is_valid(bucket.column(_EARLIER))
        earlier, bucket = bucket.filter(is_earlier), bucket.filter(pc.invert(is_earlier)).drop_columns([_EARLIER])
    ids = bucket.column("video_id")
    groups, kin = (video_kin_names(ids, bucket.column(name).to_numpy()) for name in (_GROUP, _KIN))
    known = bucket.column(_KNOWN) if _KNOWN in bucket.column_names else None
    dealt = bucket.column(_DEALT).to_pylist() if _DEALT in bucket.column_names else []
    own = (_GROUP, _KIN, _KNOWN, _DEALT)
    videos = bucket.drop_columns([name for name in own if name in bucket.column_names])
    videos = check_columns(videos, VIDEOS, "videos")  # as it was before others came into the bucket
    assigned = split_videos(config, videos, groups, kin, dict(zip(kin, dealt, strict=False)))
    if earlier is not None:
        assigned = keep_video_splits(assigned, videos.column("split").to_pylist(), earlier, kin)
    return assigned if known is None else mark(assigned, pc.invert(known), "no_features")


def _split_counts(run: StageRun, kin: Side, *, has_features: bool) -> dict[str, Any]:
    """How many kept videos each split has, how many groups and recordings there are, and the size of the largest."""
    splits: Counter[str] = Counter()
    has_media = False
    for path in run.part_paths():
        part = read_parquet(path, ["split", "path"])
        splits.update(part.column("split").to_pylist())
        has_media = has_media or part.column("path").null_count < part.num_rows
    rows = run.written + sum(run.counts.dropped().values())
    found = kin.load(*kin.arguments)
    _, sizes = np.unique(found.group, return_counts=True)
    _, of_kin, clips = np.unique(found.kin, return_inverse=True, return_counts=True)
    pairs = np.unique(np.stack([of_kin.ravel(), found.group], axis=1), axis=0)
    is_recording = np.bincount(pairs[:, 0].astype(np.int64), minlength=len(clips)) > 1
    return {
        "splits": {name: splits[name] for name in reversed(SPLITS)},
        "groups": rows - int(sizes.sum()) + len(sizes),
        "largest_group": int(sizes.max(initial=min(rows, 1))),
        "recordings": int(is_recording.sum()),
        "largest_recording": int(clips[is_recording].max(initial=0)),
        "is_compared": has_features or has_media,
    }


def kept_together(manifest: Mapping[str, Any]) -> str:
    """Return what a split keeps together, in words: near-duplicates, and clips of one recording where there are any."""
    if manifest["largest_group"] > 1:
        told = f" in {manifest['groups']} groups of near-duplicates (the largest has {manifest['largest_group']})"
    elif manifest.get("is_compared", True):
        told = ", no two near-duplicates"
    else:
        told = "; near-duplicates were not looked for, as there are no media and no --embeddings"
    count = manifest.get("recordings", 0)
    largest = f"(the largest has {manifest['largest_recording']})" if count else ""
    return f"{told}; {count} recordings of several clips {largest}" if count else told


JOINS = "joins_kept_splits"


def keep_video_splits(
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

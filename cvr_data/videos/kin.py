"""Finds which videos of a table are near-duplicates and which are clips of one recording, in parts.

Each video has signs: the perceptual hash of its frames, its recording. Videos of an equal sign meet in a bucket and
give edges; so do videos whose stored embeddings are alike, block by block. The components of the graph of all edges
are small: a few numbers for each video that has an edge.
"""

# Shapes: B videos, D embedding, E edges.

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.core.parts import Bucket, artifact_bucket_table, hash_bucket_keys, mix_hash_bits
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import ByColumn, KeyedStep, Side, Step
from cvr_data.media.perceptual_hash import media_hashes
from cvr_data.media.places import media_clips_of_videos
from cvr_data.tables import VIDEOS, content_id
from cvr_data.videos.recordings import video_recording_segments

if TYPE_CHECKING:
    from cvr_data.features.store import FeatureStore

BLOCK = 2048
DECODED_ROWS = 4096
"""Rows of a part whose media are decoded: what an interruption costs."""
_READ = [name for name in VIDEOS.names if name not in ("captions", "description")]
_RECORDING = np.uint64(1)


class Kin(NamedTuple):
    """The videos that have kin, by the hash of their id, sorted, and the component of each."""

    ids: np.ndarray
    group: np.ndarray
    """Equal for near-duplicates, directly or through others."""
    kin: np.ndarray
    """Equal for near-duplicates and clips of one recording."""

    def of(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return group and kin of each video; those without are of their own."""
        if not len(self.ids):
            return ids, ids
        place = np.searchsorted(self.ids, ids).clip(max=len(self.ids) - 1)
        has_kin = self.ids[place] == ids
        return np.where(has_kin, self.group[place], ids), np.where(has_kin, self.kin[place], ids)


@dataclass(frozen=True)
class _Source:
    videos: Path
    embeddings: Path | None


def kin_of_videos(run: StageRun, videos: Path, embeddings: Path | None, threshold: float) -> Side:
    """Return a side of the `Kin` of a videos table.

    Args:
        run: of the stage that asks.
        videos: the table.
        embeddings: stored features; without them the media are decoded, and only equal frames are near-duplicates.
        threshold: cosine from which two videos are near-duplicates.

    Raises:
        CvrError: the embeddings have none of the videos.
    """
    read = run.read(videos, _READ, part_values=None if embeddings else DECODED_ROWS)
    store = video_kin_store_sides(embeddings)
    about = _Source(videos, embeddings)
    flows = [
        read.then(Step(name="signs", run=_video_signs, config=about, sides=store, makes_rows=True, is_counted=False))
    ]
    if embeddings is not None:
        flows.append(_similar_signs(read, about, store, threshold))
    edges = run.meet(
        flows, KeyedStep(name="alike", run=video_kin_edges, key=ByColumn("key"), makes_rows=True, is_counted=False)
    )
    return run.side(edges, _load_kin)


def shared_video_kin(run: StageRun, folders: Sequence[Path], embeddings: Path | None) -> Side:
    """Return a side of the `Kin` of several videos tables together: what several corpora have of one another.

    Videos are kin that are one file, clips of one recording, or of equal perceptual hash where that is stored. Nothing
    is decoded.

    Raises:
        CvrError: there is no table.
    """
    if not folders:
        raise CvrError("The pairs were made from no videos, so that nothing tells which are kin; pass --videos.")
    flows = []
    for folder in folders:
        sides = video_kin_store_sides(embeddings)
        step = Step(name="signs", run=_stored_signs, config=_Source(folder, embeddings), sides=sides,
                    makes_rows=True, is_counted=False)  # fmt: skip
        flows.append(run.read(folder, _READ).then(step))
    alike = KeyedStep(name="shared", run=video_kin_edges, key=ByColumn("key"), makes_rows=True, is_counted=False)
    return run.side(run.meet(flows, alike), _load_kin)


def video_kin_store_sides(embeddings: Path | None) -> tuple[Side, ...]:
    """Return the side of the feature store, where there is one."""
    return () if embeddings is None else (Side(_open_store, (embeddings,)),)


def _load_kin(bucket: Bucket) -> Kin:
    """Return the components of the edges that lie there."""
    edges = artifact_bucket_table(bucket)
    ends_E2 = np.stack([edges.column(name).to_numpy() for name in ("first", "second")], axis=1)
    ids, places = np.unique(ends_E2, return_inverse=True)
    places_E2 = places.reshape(ends_E2.shape)
    is_alike = edges.column("is_alike").to_numpy()
    group, kin = (ids[video_kin_components(len(ids), some)] for some in (places_E2[is_alike], places_E2))
    return Kin(ids, group, kin)


def video_kin_components(count: int, edges_E2: np.ndarray) -> np.ndarray:
    """Return the component of each of `count` nodes, named by its smallest node."""
    label = np.arange(count)
    while True:
        ends_E2 = label[edges_E2]
        low, high = ends_E2.min(axis=1, initial=count), ends_E2.max(axis=1, initial=0)
        if not (is_cut := low < high).any():
            return label
        np.minimum.at(label, high[is_cut], low[is_cut])
        while ((further := label[label]) != label).any():
            label = further


def video_kin_names(video_ids: pa.ChunkedArray, components_B: np.ndarray) -> list[str]:
    """Return one id per video, the same in a component: that of its first video by name."""
    order = pc.sort_indices(video_ids).to_numpy()
    _, first, place = np.unique(components_B[order], return_index=True, return_inverse=True)
    names = np.array([content_id(name) for name in video_ids.take(pa.array(order[first])).to_pylist()], object)
    found = np.empty(len(order), object)
    found[order] = names[place]
    return found.tolist()


def video_kin_edges(config: None, signs: pa.Table) -> pa.Table:
    """Return an edge from the first video of each sign to each other one."""
    keys, ids = (signs.column(name).to_numpy() for name in ("key", "id"))
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    others = np.flatnonzero(first[place] != np.arange(len(keys)))
    columns = {"first": ids[first[place]][others], "second": ids[others]}
    return pa.table({**columns, "is_alike": signs.column("is_alike").to_numpy()[others]})


def similar_video_rows(block_BD: np.ndarray, other_BD: np.ndarray, threshold: float) -> np.ndarray:
    """Return the (row, row of the other) pairs of unit vectors whose cosine is at least the threshold."""
    return np.argwhere(block_BD @ other_BD.T >= threshold)


def _open_store(embeddings: Path) -> "FeatureStore":
    from cvr_data.features.store import FeatureStore

    return FeatureStore.open(embeddings, space="raw")


def _video_signs(about: _Source, videos: pa.Table, *stores: "FeatureStore") -> pa.Table:
    """Each video with its perceptual hash and its recording, where it has them."""
    videos = check_columns(videos, pa.schema([VIDEOS.field(name) for name in _READ]), str(about.videos))
    ids = hash_bucket_keys(videos.column("video_id"))
    recordings = video_recording_segments(videos).column("recording")
    return _signed(ids, ((_perceptual_hashes(about, videos, stores), True), (recordings, False)))


def _stored_signs(about: _Source, videos: pa.Table, *stores: "FeatureStore") -> pa.Table:
    """Each video with the hash of its file and its recording, and with its perceptual hash where that is stored."""
    videos = check_columns(videos, pa.schema([VIDEOS.field(name) for name in _READ]), str(about.videos))
    files = pc.if_else(pc.is_null(videos.column("start_s")), videos.column("content_sha256"), None)
    signs = [(files, True), (video_recording_segments(videos).column("recording"), False)]
    signs += [(_perceptual_hashes(about, videos, stores), True)] if stores else []
    return _signed(hash_bucket_keys(videos.column("video_id")), signs)


def _signed(ids: np.ndarray, signs: Sequence[tuple[pa.ChunkedArray, bool]]) -> pa.Table:
    found = []
    for values, is_alike in signs:
        has_sign = pc.fill_null(pc.not_equal(values, ""), False).to_numpy()
        keys = hash_bucket_keys(values)[has_sign]
        found.append(_sign_table(keys if is_alike else mix_hash_bits(keys ^ _RECORDING), ids[has_sign], is_alike))
    return pa.concat_tables(found)


def _sign_table(keys: np.ndarray, ids: np.ndarray, is_alike: bool) -> pa.Table:
    return pa.table({"key": keys, "id": ids, "is_alike": np.full(len(ids), is_alike)})


def _perceptual_hashes(about: _Source, videos: pa.Table, stores: Sequence["FeatureStore"]) -> pa.ChunkedArray:
    if not stores:
        clips = [None if video.path is None else video.clip for video in media_clips_of_videos(videos, about.videos)]
        return pa.chunked_array([pa.array(media_hashes(clips), pa.string())])
    [store] = stores
    ids = videos.column("video_id")
    is_known = store.has_videos(ids.to_pylist())
    hashes = np.full(len(ids), "", object)
    hashes[is_known] = store.perceptual_hashes(ids.filter(pa.array(is_known)).to_pylist())
    return pa.chunked_array([pa.array(hashes, pa.string())])


def _similar_signs(read: Flow, about: _Source, store: tuple[Side, ...], threshold: float) -> Flow:
    """Signs that two videos share whose embeddings are alike, found block by block."""
    run = read.run
    known = run.rested(
        read.then(Step(name="known", run=_videos_with_features, sides=store, makes_rows=True, is_counted=False))
    )
    if not known.values:
        raise CvrError(f"{about.embeddings} has no features of the videos of {about.videos}.")
    starts = range(0, known.values, BLOCK)
    blocks = run.made("blocks", lambda: (pa.table({"start": [start]}) for start in starts))
    sides = (*store, run.side(known, artifact_bucket_table))
    return blocks.then(
        Step(name="similar", run=_similar, config=threshold, sides=sides, makes_rows=True, is_counted=False)
    )


def _videos_with_features(config: None, videos: pa.Table, store: "FeatureStore") -> pa.Table:
    ids = videos.select(["video_id"])
    return ids.filter(pa.array(store.has_videos(ids.column(0).to_pylist())))


def _similar(threshold: float, block: pa.Table, store: "FeatureStore", known: pa.Table) -> pa.Table:
    """Signs of a block of videos and all after it; 100,000 videos of 1280 numbers take a minute on two cores."""
    [start] = block.column("start").to_pylist()
    found = [_sign_table(np.empty(0, np.uint64), np.empty(0, np.uint64), True)]
    block_BD = _pooled(store, known, start)
    ids = hash_bucket_keys(known.column(0).slice(start, BLOCK))
    for other in range(start, known.num_rows, BLOCK):
        rows_E2 = similar_video_rows(block_BD, _pooled(store, known, other), threshold)
        rows_E2 = rows_E2[rows_E2[:, 1] + other > rows_E2[:, 0] + start]
        if len(rows_E2):
            others = hash_bucket_keys(known.column(0).slice(other, BLOCK))
            ends_E2 = np.stack([ids[rows_E2[:, 0]], others[rows_E2[:, 1]]], axis=1)
            keys = mix_hash_bits(mix_hash_bits(ends_E2[:, 0]) ^ ends_E2[:, 1])
            found.append(_sign_table(np.repeat(keys, 2), ends_E2.ravel(), True))
    return pa.concat_tables(found)


def _pooled(store: "FeatureStore", known: pa.Table, start: int) -> np.ndarray:
    return store.pooled(known.column(0).slice(start, BLOCK).to_pylist()).numpy()

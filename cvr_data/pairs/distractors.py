"""Gallery videos that mislead: they share a query's concepts and answer no query of the test set.

A distractor belongs to a query, not to a pair, and needs the finished triplets; so this is a stage of its own and no
pair-mining strategy. Candidates share the most content words with the captions of reference and target, rare words
counting more. What may answer any query of the set is dropped: near-duplicates of a target, and captions that are too
close to a target's or have all its content words.

hardness = likeness of candidate and reference + likeness of the candidate's and the target's caption
           - (likeness of target and reference + 1)

A model that adds likeness to the reference to likeness to a perfect text scores the candidate by the first two terms,
and the target by the others: from 0 on the candidate ranks before the target. Likeness is the cosine of the videos
where features of both are stored, else of their captions; captions are compared by MiniLM.
"""

# Shapes: N candidates of queries, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns, mark, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.parts import Bucket, bucket_table, hashes_of
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import KeyedStep, Step
from cvr_data.core.whole_files import read_parquet
from cvr_data.features.similarities import text_vectors
from cvr_data.language.normalise import normalised
from cvr_data.pairs.search.shared_words import (
    QUERY_COLUMNS,
    best_candidates,
    candidates,
    caption_words,
    load_caption_words,
)
from cvr_data.tables import DISTRACTORS, TRIPLETS, VIDEOS

STAGE = "mine-distractors"
VERSION = 2
POOL_COLUMNS = ("video_id", "captions", "split", "group_id")
POOL = pa.schema([VIDEOS.field(name) for name in POOL_COLUMNS])
BUCKET_VALUES = 100_000
"""Candidates of queries that are looked at together: their captions are encoded, with those of all targets."""
ROWS = 100_000
"""Rows whose vectors are in memory at once."""


@dataclass(frozen=True, kw_only=True)
class Config:
    split: str = "test"
    """Split of the triplets whose gallery is made harder; videos of another split are no candidates."""
    per_query: int = 10
    """Distractors that are kept for each query, the hardest."""
    candidates: int = 100
    """Videos that are compared for each query: those that share the most and rarest words."""
    text_ceiling: float = 0.9
    """A video with a caption as close as this (cosine) to that of any target may be an answer, and is dropped."""
    visual_ceiling: float = 0.95
    """A video as close as this (cosine) to any target is a near-duplicate, and is dropped."""

    def __post_init__(self) -> None:
        if self.per_query < 1 or self.candidates < self.per_query:
            raise ValueError("per_query must be at least 1, and candidates at least per_query.")


def mine_distractors(
    triplets: Path, videos: Path, embeddings: Path | None, config: Config, out: Path, *, overwrite: bool
) -> Artifact:
    """Write the distractors of a test set, and every refused candidate with its reason.

    Raises:
        CvrError: no triplet of the split, a column is missing, or `out` holds another thing.
    """
    inputs = {"triplets": triplets, "videos": videos, **({"embeddings": embeddings} if embeddings else {})}
    stage = StageRun(out, stage=STAGE, version=VERSION, config=config_dict(config), inputs=inputs, overwrite=overwrite)
    if (done := stage.finished()) is not None:
        return done
    source = open_artifact(triplets, "build-triplets")
    if not any(config.split in read_parquet(path, ["split"])["split"].to_pylist() for path in source.part_paths):
        raise CvrError(f"{triplets} has no triplet of split {config.split!r}.")
    rows = stage.read(triplets, required=[field.name for field in TRIPLETS if not field.nullable])
    pool = stage.read(videos, POOL_COLUMNS, ["video_id", "captions"])
    with stage:
        found = _mined(stage, rows, pool, config, embeddings)
        stage.write_parts(found)
        kept = [read_parquet(path, ["video_id"])["video_id"] for path in stage.part_paths()]
        return stage.finish(videos=len({video_id for column in kept for video_id in column.to_pylist()}))


def _mined(stage: StageRun, triplets: Flow, videos: Flow, config: Config, embeddings: Path | None) -> Flow:
    """Return a row per query and candidate; the refused have been dropped, the videos that can be none before them."""
    triplets = triplets.then(Step(name="read", run=_checked, config=TRIPLETS, is_counted=False))
    of_split = Step(name="queries", run=_of_split, config=config.split, makes_rows=True, is_counted=False)
    queries = stage.side(triplets.then(of_split), load_queries)
    ids = Step(name="used videos", run=_ids, makes_rows=True, is_counted=False)
    used = stage.side(triplets.then(ids), load_hashes)
    pool = videos.then(Step(name="read", run=_checked, config=POOL, is_counted=False))
    pool = stage.rested(pool.then(Step(name="pool", run=refused, config=config.split, sides=(queries, used))))
    counted = Step(name="words", run=caption_words, makes_rows=True, is_counted=False)
    words = stage.side(pool.then(counted), load_caption_words)
    about: dict[str, Any] = {"config": config.candidates, "makes_rows": True, "is_counted": False}
    found = pool.then(Step(name="candidates", run=candidates, sides=(queries, words), **about))
    found = found.then(
        KeyedStep(
            name="best", run=best_candidates, key=_by_query, sides=(queries,), bucket_values=BUCKET_VALUES, **about
        )
    )
    return found.then(Step(name=STAGE, run=judged, config=(config, embeddings), sides=(queries,)))


def _checked(schema: pa.Schema, part: pa.Table) -> pa.Table:
    return check_columns(part, schema, "input")


def _of_split(split: str, triplets: pa.Table) -> pa.Table:
    groups = ("reference_group_id", "target_group_id", "triplet_id")
    return triplets.filter(pc.equal(triplets.column("split"), split)).select([*QUERY_COLUMNS, *groups])


def load_queries(bucket: Bucket) -> pa.Table:
    """Return the triplets of the split, in the order of their ids."""
    return bucket_table(bucket).sort_by("triplet_id")


def _ids(config: Any, triplets: pa.Table) -> pa.Table:
    return pa.table({"hash": np.unique(hashes_of(_ends(triplets, "id")))})


def load_hashes(bucket: Bucket) -> np.ndarray:
    """Return the hashes of all videos that triplets use."""
    return np.unique(bucket_table(bucket).column("hash").to_numpy())


def _by_query(config: Any, found: pa.Table) -> np.ndarray:
    return hashes_of(found.column("query_id"))


def refused(split: str, pool: pa.Table, queries: pa.Table, used: np.ndarray) -> pa.Table:
    """Return videos with a `drop_reason` where they can be no distractor of any query."""
    pool = mark(pool, pa.array(np.isin(hashes_of(pool.column("video_id")), used)), "used_by_triplets")
    pool = mark(pool, pc.not_equal(pool.column("split"), split), "other_split")
    return mark(pool, _is_in(pool, "group_id", _ends(queries, "group_id").drop_null()), "near_duplicate")


def judged(about: tuple[Config, Path | None], found: pa.Table, queries: pa.Table) -> pa.Table:
    """Return candidates of whole queries with their hardness, the refused ones with their `drop_reason`."""
    config, embeddings = about
    said = normalised(queries.column("target_caption").combine_chunks())
    found = mark(found, pc.is_in(normalised(found.column("caption")), said), "target_caption")
    found = mark(found, found.column("has_target_words"), "has_target_words")
    found = _with_texts(config, found, queries, embeddings)
    found = _with_videos(config, found, queries, embeddings)
    found = _with_hardness(found)
    return mark(found, pa.array(_beyond(found, config.per_query)), "less_hard").drop_columns(
        ["reference_caption", "target_caption", "likeness", "target_likeness", "has_target_words"]
    )


def _ends(triplets: pa.Table, what: str) -> pa.Array:
    return pa.concat_arrays([triplets.column(f"{side}_{what}").combine_chunks() for side in ("reference", "target")])


def _is_in(table: pa.Table, column: str, values: pa.Array) -> pa.ChunkedArray:
    return pc.is_in(table.column(column), values)


def _with_texts(config: Config, found: pa.Table, queries: pa.Table, embeddings: Path | None) -> pa.Table:
    """Add the similarities of captions, and drop what is too close to the caption of any target."""
    names = ("caption", "reference_caption", "target_caption")
    targets = pc.unique(queries.column("target_caption")).drop_null()
    texts = pc.unique(pa.concat_arrays([*(found.column(name).combine_chunks() for name in names), targets])).sort()
    texts = texts.drop_null()
    vectors_ND = text_vectors(texts, embeddings)
    rows = {name: _rows(found.column(name), texts) for name in names}
    found = found.append_column("text_similarity", _cosines(vectors_ND, rows["caption"], rows["target_caption"]))
    for column, one in (("likeness", "caption"), ("target_likeness", "target_caption")):
        found = found.append_column(column, _cosines(vectors_ND, rows[one], rows["reference_caption"]))
    closest = _closest(vectors_ND, _rows(targets, texts))
    values = np.append(closest, np.nan)[rows["caption"]]
    return mark(found, pa.array(values >= config.text_ceiling), "may_answer")


def _with_videos(config: Config, found: pa.Table, queries: pa.Table, embeddings: Path | None) -> pa.Table:
    """Replace likenesses by those of the videos where their features are stored; drop what is too close to a target."""
    if embeddings is None:
        return found
    from cvr_data.features.store import FeatureStore

    store = FeatureStore.open(embeddings, space="raw")
    names = ("video_id", "reference_id", "target_id")
    ids = pc.unique(pa.concat_arrays([found.column(name).combine_chunks() for name in names])).sort()
    ids = ids.filter(pa.array(store.has_videos(ids.to_pylist())))
    if not len(ids):
        return found
    vectors_ND = store.pooled(ids.to_pylist()).numpy()
    rows = {name: _rows(found.column(name), ids) for name in names}
    likeness = _cosines(vectors_ND, rows["video_id"], rows["reference_id"])
    others = _cosines(vectors_ND, rows["target_id"], rows["reference_id"])
    is_known = pc.and_(pc.is_valid(likeness), pc.is_valid(others))
    for column, values in (("likeness", likeness), ("target_likeness", others)):
        found = with_column(found, column, pc.if_else(is_known, values, found.column(column)))
    closest = _closest(vectors_ND, _rows(pc.unique(queries.column("target_id")), ids))
    values = np.append(closest, np.nan)[rows["video_id"]]
    return mark(found, pa.array(values >= config.visual_ceiling), "near_duplicate")


def _with_hardness(found: pa.Table) -> pa.Table:
    candidate = pc.add(found.column("likeness"), found.column("text_similarity"))
    hardness = pc.subtract(candidate, pc.add(found.column("target_likeness"), pa.scalar(1.0, pa.float32())))
    found = found.append_column("reference_similarity", found.column("likeness"))
    return found.append_column("hardness", hardness.cast(pa.float32()))


def _beyond(found: pa.Table, most: int) -> np.ndarray:
    """Return whether `most` harder candidates of the query are left; equal ones are taken in the order of their ids."""
    is_left = pc.is_null(found.column("drop_reason")).to_numpy()
    hardness = pc.fill_null(found.column("hardness"), -np.inf).to_numpy()
    query, video = (pc.rank(found.column(name), tiebreaker="dense").to_numpy() for name in ("query_id", "video_id"))
    order = np.lexsort((video, -hardness, ~is_left, query))
    starts = np.flatnonzero(np.append(True, np.diff(query[order]) != 0)[: len(order)])
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    is_beyond = np.zeros(len(order), bool)
    is_beyond[order] = place >= most
    return is_beyond & is_left


def _rows(values: pa.Array | pa.ChunkedArray, known: pa.Array) -> np.ndarray:
    """Return the row of each value among the known ones, -1 where it is not."""
    return pc.fill_null(pc.index_in(values, known), -1).to_numpy().astype(np.int64)


def _cosines(vectors_ND: np.ndarray, first: np.ndarray, second: np.ndarray) -> pa.Array:
    values = np.full(len(first), np.nan, np.float32)
    known = np.flatnonzero((first >= 0) & (second >= 0))
    for start in range(0, len(known), ROWS):
        rows = known[start : start + ROWS]
        values[rows] = np.einsum("nd,nd->n", vectors_ND[first[rows]], vectors_ND[second[rows]])
    return pa.array(values, from_pandas=True)


def _closest(vectors_ND: np.ndarray, others: np.ndarray, block: int = 2048) -> np.ndarray:
    """Return the highest cosine of each vector with any of the others, which are rows of the same table."""
    targets_DM = vectors_ND[others[others >= 0]].T
    best = [np.empty(0, np.float32)]
    for start in range(0, len(vectors_ND), block):
        best.append((vectors_ND[start : start + block] @ targets_DM).max(axis=1, initial=-1.0))
    return np.concatenate(best)


def gallery_videos(folders: Sequence[Path]) -> set[str]:
    """Return the ids of all videos that mined distractors add to a gallery.

    Raises:
        CvrError: a folder was not made by `cvr mine-distractors`.
    """
    tables = [check_columns(open_artifact(path, STAGE).read(), DISTRACTORS, str(path)) for path in folders]
    return {video_id for table in tables for video_id in table.column("video_id").to_pylist()}

"""What becomes of candidates for distractors: which of them may answer a query, what kind they are, how hard."""

# Shapes: N candidates of queries, D embedding.

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark, with_column
from cvr_data.core.parts import hash_bucket_keys
from cvr_data.core.ranges import SHARE, option_range
from cvr_data.features.similarities import text_vectors
from cvr_data.language.normalise import normalised
from cvr_data.pairs.distractor_types import with_distractor_types

if TYPE_CHECKING:  # torch
    from cvr_data.features.store import FeatureStore

_IS_NEW = "_is_new"
ROWS = 100_000
"""Rows whose vectors are in memory at once."""


@dataclass(frozen=True, kw_only=True)
class Config:
    split: str = "test"
    """Split of the triplets whose gallery is made harder; its unused videos are the candidates."""
    other_splits: Literal["leave", "take"] = "leave"
    """Videos of other splits are no candidates; `take` lets them be, where no triplet uses them: `cvr bench` has all
    videos of the split in its gallery anyway, so only such videos, and those of other corpora, make it larger."""
    per_query: int = 10
    """Distractors that are kept for each query, the hardest."""
    candidates: int = 100
    """Videos that are compared for each query: those that share the most and rarest words."""
    text_ceiling: float = 0.9
    """A video with a caption as close as this (cosine) to that of any target may be an answer, and is dropped."""
    visual_ceiling: float = 0.95
    """A video as close as this (cosine) to any target is a near-duplicate, and is dropped."""
    used: Literal["leave", "take"] = "leave"
    """Videos that triplets use are in the gallery already; `take` lists them where captions prove them wrong for a
    query, whatever else they answer, so that recall against each kind is measured with them too."""

    needs_both: float = field(default=0.0, metadata=option_range(SHARE))
    """Keep only videos that take shortcuts away, until this share of the queries needs both inputs; 0 keeps all."""

    def __post_init__(self) -> None:
        if self.per_query < 1 or self.candidates < self.per_query:
            raise ValueError("per_query must be at least 1, and candidates at least per_query.")


def refused_distractors(config: Config, pool: pa.Table, queries: pa.Table, used: np.ndarray) -> pa.Table:
    """Return videos with a `drop_reason` where they can be no distractor of any query."""
    is_used = np.isin(hash_bucket_keys(pool.column("video_id")), used)
    if config.used == "leave":
        pool = mark(pool, pa.array(is_used), "used_by_triplets")
    if config.other_splits == "leave":
        pool = mark(pool, pc.not_equal(pool.column("split"), config.split), "other_split")
    if config.used == "take":
        return pool
    return mark(
        pool, pc.is_in(pool.column("group_id"), pair_ends_of(queries, "group_id").drop_null()), "near_duplicate"
    )


def judged_distractors(
    about: tuple[Config, Path | None], found: pa.Table, queries: pa.Table, recordings: dict[str, str], used: np.ndarray
) -> pa.Table:
    """Return candidates of whole queries with their kind and hardness, the refused ones with their `drop_reason`."""
    config, embeddings = about
    is_used = np.isin(hash_bucket_keys(found.column("video_id")), used)
    found = found.append_column(_IS_NEW, pa.array(~is_used))  # only what no triplet uses may answer unseen
    found = mark(found, pa.array(_of_own_query(found, queries)), "answers_or_reference")
    said = normalised(queries.column("target_caption").combine_chunks())
    found = _mark_new(found, pc.is_in(normalised(found.column("caption")), said), "target_caption")
    found = _mark_new(found, found.column("has_target_words"), "has_target_words")
    found = _with_texts(config, found, queries, embeddings)
    found = _with_videos(config, found, queries, embeddings)
    found = with_distractor_types(found, recordings, recordings)
    found = mark(found, pa.array(is_used & pc.is_null(found.column("distractor_type")).to_numpy()), "no_proof")
    found = _with_hardness(found)
    return mark(found, pa.array(_beyond_most_distractors(found, config.per_query)), "less_hard").drop_columns(
        ["reference_caption", "target_caption", "likeness", "target_likeness", "has_target_words", "changes", _IS_NEW]
    )


def _mark_new(found: pa.Table, is_dropped: pa.Array | pa.ChunkedArray, reason: str) -> pa.Table:
    return mark(found, pc.and_(is_dropped, found.column(_IS_NEW)), reason)


def _of_own_query(found: pa.Table, queries: pa.Table) -> np.ndarray:
    """Whether a candidate is the reference or a target of its query."""
    own = {
        (query_id, name)
        for query_id, *names in zip(
            *(queries.column(name).to_pylist() for name in ("query_id", "reference_id", "target_id")), strict=True
        )
        for name in names
    }
    pairs = zip(found.column("query_id").to_pylist(), found.column("video_id").to_pylist(), strict=True)
    return np.array([pair in own for pair in pairs], bool)


def pair_ends_of(triplets: pa.Table, what: str) -> pa.Array:
    """Return that column of references and targets, as one."""
    return pa.concat_arrays([triplets.column(f"{side}_{what}").combine_chunks() for side in ("reference", "target")])


def _with_texts(config: Config, found: pa.Table, queries: pa.Table, embeddings: Path | None) -> pa.Table:
    """Add the similarities of captions, and drop what is too close to the caption of any target."""
    names = ("caption", "reference_caption", "target_caption")
    targets = pc.unique(queries.column("target_caption")).drop_null()
    texts = pc.unique(pa.concat_arrays([*(found.column(name).combine_chunks() for name in names), targets])).sort()
    texts = texts.drop_null()
    vectors_ND = text_vectors(texts, embeddings)
    rows = {name: _rows_of_candidates(found.column(name), texts) for name in names}
    found = found.append_column(
        "text_similarity", _candidate_cosines(vectors_ND, rows["caption"], rows["target_caption"])
    )
    for column, one in (("likeness", "caption"), ("target_likeness", "target_caption")):
        found = found.append_column(column, _candidate_cosines(vectors_ND, rows[one], rows["reference_caption"]))
    closest = _closest_candidates(vectors_ND, _rows_of_candidates(targets, texts))
    values = np.append(closest, np.nan)[rows["caption"]]
    return _mark_new(found, pa.array(values >= config.text_ceiling), "may_answer")


def _with_videos(config: Config, found: pa.Table, queries: pa.Table, embeddings: Path | None) -> pa.Table:
    """Replace likenesses by those of the videos where their features are stored; drop what is too close to a target."""
    store = distractor_store(embeddings)
    if store is None:
        return found
    names = ("video_id", "reference_id", "target_id")
    ids = pc.unique(pa.concat_arrays([found.column(name).combine_chunks() for name in names])).sort()
    ids = ids.filter(pa.array(store.has_videos(ids.to_pylist())))
    if not len(ids):
        return found
    vectors_ND = store.pooled(ids.to_pylist()).numpy()
    rows = {name: _rows_of_candidates(found.column(name), ids) for name in names}
    likeness = _candidate_cosines(vectors_ND, rows["video_id"], rows["reference_id"])
    others = _candidate_cosines(vectors_ND, rows["target_id"], rows["reference_id"])
    is_known = pc.and_(pc.is_valid(likeness), pc.is_valid(others))
    for column, values in (("likeness", likeness), ("target_likeness", others)):
        found = with_column(found, column, pc.if_else(is_known, values, found.column(column)))
    own = _candidate_cosines(vectors_ND, rows["video_id"], rows["target_id"])
    found = mark(found, pc.greater_equal(own, config.visual_ceiling), "near_duplicate")
    closest = _closest_candidates(vectors_ND, _rows_of_candidates(pc.unique(queries.column("target_id")), ids))
    values = np.append(closest, np.nan)[rows["video_id"]]
    return _mark_new(found, pa.array(values >= config.visual_ceiling), "near_duplicate")


def _with_hardness(found: pa.Table) -> pa.Table:
    candidate = pc.add(found.column("likeness"), found.column("text_similarity"))
    hardness = pc.subtract(candidate, pc.add(found.column("target_likeness"), pa.scalar(1.0, pa.float32())))
    found = found.append_column("reference_similarity", found.column("likeness"))
    return found.append_column("hardness", hardness.cast(pa.float32()))


def _beyond_most_distractors(found: pa.Table, most: int) -> np.ndarray:
    """Return whether `most` better candidates of the query are left: the hardest of each kind before the second of any.

    Equal ones are taken in the order of their ids.
    """
    is_left = pc.is_null(found.column("drop_reason")).to_numpy()
    hardness = pc.fill_null(found.column("hardness"), -np.inf).to_numpy()
    query, video = (pc.rank(found.column(name), tiebreaker="dense").to_numpy() for name in ("query_id", "video_id"))
    kind = pc.rank(pc.fill_null(found.column("distractor_type"), ""), tiebreaker="dense").to_numpy()
    of_kind = _places_of_candidates(
        np.lexsort((video, -hardness, ~is_left, kind, query)), query * (kind.max(initial=0) + 1) + kind
    )
    place = _places_of_candidates(np.lexsort((video, -hardness, of_kind, ~is_left, query)), query)
    return (place >= most) & is_left


def _places_of_candidates(order: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the place of each row within its group, from 0, in an order that has groups together."""
    starts = np.flatnonzero(np.append(True, np.diff(groups[order]) != 0)[: len(order)])
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return places


def _rows_of_candidates(values: pa.Array | pa.ChunkedArray, known: pa.Array) -> np.ndarray:
    """Return the row of each value among the known ones, -1 where it is not."""
    return pc.fill_null(pc.index_in(values, known), -1).to_numpy().astype(np.int64)


def _candidate_cosines(vectors_ND: np.ndarray, first: np.ndarray, second: np.ndarray) -> pa.Array:
    values = np.full(len(first), np.nan, np.float32)
    known = np.flatnonzero((first >= 0) & (second >= 0))
    for start in range(0, len(known), ROWS):
        rows = known[start : start + ROWS]
        values[rows] = np.einsum("nd,nd->n", vectors_ND[first[rows]], vectors_ND[second[rows]])
    return pa.array(values, from_pandas=True)


def _closest_candidates(vectors_ND: np.ndarray, others: np.ndarray, block: int = 2048) -> np.ndarray:
    """Return the highest cosine of each vector with any of the others, which are rows of the same table."""
    targets_DM = vectors_ND[others[others >= 0]].T
    best = [np.empty(0, np.float32)]
    for start in range(0, len(vectors_ND), block):
        best.append((vectors_ND[start : start + block] @ targets_DM).max(axis=1, initial=-1.0))
    return np.concatenate(best)


def distractor_store(embeddings: Path | None) -> "FeatureStore | None":
    """Return the raw features, None without a folder."""
    if embeddings is None:
        return None
    from cvr_data.features.store import FeatureStore

    return FeatureStore.open(embeddings, space="raw")

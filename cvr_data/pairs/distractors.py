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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns, mark, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.progress import Progress
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import Step, split_dropped
from cvr_data.core.whole_files import read_parquet
from cvr_data.features.similarities import text_vectors
from cvr_data.language.normalise import WordIds, normalised, word_ids
from cvr_data.language.stop_words import FUNCTION_WORDS
from cvr_data.tables import DISTRACTORS, TRIPLETS, VIDEOS


@dataclass(frozen=True)
class _Index:
    """Which captions have a content word: word w is in `entries[starts[w] : starts[w + 1]]`."""

    starts: np.ndarray
    entries: np.ndarray
    weights: np.ndarray
    """Of each word: the logarithm of how few captions have it."""
    vocabulary: pa.Array
    video_rows: np.ndarray
    """Row in the pool of each caption, rising."""
    captions: pa.Array


def candidates(queries: pa.Table, pool: pa.Table, most: int) -> pa.Table:
    """Return at most `most` videos per query, with the best of their captions and the words it shares.

    `has_target_words` says whether those are all content words of the target's caption.

    Args:
        queries: triplets; of several of one query, the first says what the query is about.
        pool: videos sorted by their ids, which makes the result independent of their order.
        most: videos per query.
    """
    index = _index(pool)
    _, first = np.unique(queries.column("query_id").to_numpy(), return_index=True)
    asked = queries.take(pa.array(first)).select(
        ["query_id", "reference_id", "target_id", "reference_caption", "target_caption"]
    )
    sides = [word_ids(asked.column(f"{side}_caption")) for side in ("reference", "target")]
    known = [_known_words(words, index) for words in sides]
    names = sides[1].vocabulary.to_pylist()
    bounds = zip(sides[1].offsets[:-1].tolist(), sides[1].offsets[1:].tolist(), strict=True)
    wanted = [{names[word] for word in sides[1].ids[start:end]} - {*FUNCTION_WORDS} for start, end in bounds]
    rows, entries, shared = [], [], []
    with Progress("find candidates", asked.num_rows, "queries") as progress:
        for query in range(asked.num_rows):
            words = np.unique(np.concatenate([side[query] for side in known]))
            best = _best_captions(index, words, most)
            rows.append(np.full(len(best), query))
            entries.append(best)
            shared += _shared(index, words, best)
            progress.advance(1)
    chosen = np.concatenate(entries)
    table = asked.take(pa.array(np.concatenate(rows)))
    videos = pool.take(pa.array(index.video_rows[chosen]))
    table = table.append_column("video_id", videos.column("video_id"))
    table = table.append_column("caption", index.captions.take(pa.array(chosen)))
    table = table.append_column("shared", pa.array(shared, pa.list_(pa.string())))
    has_all = [
        bool(wanted[query]) and wanted[query] <= {*words}
        for query, words in zip(np.concatenate(rows).tolist(), shared, strict=True)
    ]
    return table.append_column("has_target_words", pa.array(has_all, pa.bool_()))


def _index(pool: pa.Table) -> _Index:
    lists = pool.column("captions").combine_chunks()
    captions = pc.list_flatten(lists)
    words = word_ids(captions)
    entry_of_word = np.repeat(np.arange(len(captions)), np.diff(words.offsets))
    size = max(len(captions), 1)
    uses = np.unique(words.ids.astype(np.int64) * size + entry_of_word)
    word, entries = uses // size, uses % size
    is_content = ~pc.is_in(words.vocabulary, pa.array(FUNCTION_WORDS)).to_numpy(zero_copy_only=False)
    entries, word = entries[is_content[word]], word[is_content[word]]
    starts = np.searchsorted(word, np.arange(len(words.vocabulary) + 1))
    return _Index(
        starts=starts,
        entries=entries,
        weights=np.log(size / np.maximum(np.diff(starts), 1)) + 1e-9,
        vocabulary=words.vocabulary,
        video_rows=pc.list_parent_indices(lists).to_numpy(zero_copy_only=False),
        captions=captions,
    )


def _known_words(words: WordIds, index: _Index) -> list[np.ndarray]:
    """Return, per text, the numbers in the index of its content words."""
    numbers = pc.fill_null(pc.index_in(words.vocabulary, index.vocabulary), -1).to_numpy().astype(np.int64)
    found = numbers[words.ids]
    per_text = np.split(found, words.offsets[1:-1])
    has_captions = np.diff(index.starts) > 0
    return [np.array([word for word in text if word >= 0 and has_captions[word]], np.int64) for text in per_text]


def _best_captions(index: _Index, words: np.ndarray, most: int) -> np.ndarray:
    """Return the best caption of each of the best videos, by the weight of the words it shares, then by its place."""
    if not len(words):
        return np.empty(0, np.int64)
    postings = [index.entries[index.starts[word] : index.starts[word + 1]] for word in words]
    weights = np.repeat(index.weights[words], [len(found) for found in postings])
    scores = np.bincount(np.concatenate(postings), weights=weights, minlength=len(index.video_rows))
    found = np.flatnonzero(scores)
    order = found[np.lexsort((found, -scores[found].round(9)))]
    _, first = np.unique(index.video_rows[order], return_index=True)
    return order[np.sort(first)[:most]]


def _shared(index: _Index, words: np.ndarray, entries: np.ndarray) -> list[list[str]]:
    """Return the words that each caption shares."""
    has_word = [np.isin(entries, index.entries[index.starts[word] : index.starts[word + 1]]) for word in words]
    names = index.vocabulary.take(pa.array(words)).to_pylist()
    return [[name for name, has in zip(names, has_word, strict=True) if has[place]] for place in range(len(entries))]


STAGE = "mine-distractors"
VERSION = 2
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
    corpus = open_artifact(videos)

    def mined() -> Iterator[pa.Table]:
        rows = check_columns(source.read(), TRIPLETS, str(triplets))
        queries = rows.filter(pc.equal(rows.column("split"), config.split)).sort_by("triplet_id")
        pool = check_columns(corpus.read(), VIDEOS, str(videos)).sort_by("video_id")
        yield run(config, queries, rows, pool, embeddings)

    with stage:
        # A query is compared with all videos at once: this is the one step whose table is whole.
        found = stage.made(STAGE, mined).then(Step(name=STAGE, run=_as_mined))
        stage.write_parts(found)
        kept = [read_parquet(path, ["video_id"])["video_id"] for path in stage.part_paths()]
        return stage.finish(videos=len({video_id for column in kept for video_id in column.to_pylist()}))


def _as_mined(config: None, found: pa.Table) -> pa.Table:
    return found


def run(config: Config, queries: pa.Table, triplets: pa.Table, pool: pa.Table, embeddings: Path | None) -> pa.Table:
    """Return one row per query and candidate, sorted, and one per video that can be none; refused with `drop_reason`.

    Args:
        config: what is kept.
        queries: triplets of the split.
        triplets: all of them, whose videos are no distractors.
        pool: videos that may be.
        embeddings: features of videos, and of captions that need not be encoded then.
    """
    pool = mark(pool, _is_in(pool, "video_id", _ends(triplets, "id")), "used_by_triplets")
    pool = mark(pool, pc.not_equal(pool.column("split"), config.split), "other_split")
    pool = mark(pool, _is_in(pool, "group_id", _ends(queries, "group_id").drop_null()), "near_duplicate")
    pool, refused = split_dropped(pool)
    found = candidates(queries, pool, config.candidates)
    said = normalised(queries.column("target_caption").combine_chunks())
    found = mark(found, pc.is_in(normalised(found.column("caption")), said), "target_caption")
    found = mark(found, found.column("has_target_words"), "has_target_words")
    found = _with_texts(config, found, queries, embeddings)
    found = _with_videos(config, found, queries, embeddings)
    found = _with_hardness(found)
    found = mark(found, pa.array(_beyond(found, config.per_query)), "less_hard").drop_columns(
        ["reference_caption", "target_caption", "likeness", "target_likeness", "has_target_words"]
    )
    both = pa.concat_tables([found, refused.select(["video_id", "drop_reason"])], promote_options="permissive")
    return both.cast(pa.schema([field.with_nullable(True) for field in both.schema]))  # a refused video has no query


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

"""Pair near videos that share some concepts and differ in others: objects, scenes, attributes and actions.

Each video has a set of concepts, from its captions by spaCy's tags or from its frames by their cosine with the words of
a vocabulary. Of a reference A and each of its nearest videos B, retained = A and B, injected = B without A, excluded =
A without B; a pair has something retained and something injected. What is excluded is matched with what is injected in
the same slot, the most alike by word embedding first, and each match is a change, typed static or action.

Synonyms are folded by the similarity of MiniLM embeddings, as WordNet cannot be had as a package, and by a file.

Source: FineCVR-1M of FDCA, Wu et al., ICLR 2025 (https://openreview.net/forum?id=wGa2plE8ka); its prompts and code were
not released, only its threshold and its texts of retained, injected and excluded concepts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.mapped_rows import VECTOR, MappedRows, as_vectors, mapped
from cvr_data.core.parts import hashes_of, mixed
from cvr_data.core.reading import read_text
from cvr_data.core.runner import Flow
from cvr_data.core.stages import KeyedStep, Side, Step
from cvr_data.features.similarities import text_vectors
from cvr_data.language.normalise import normalised
from cvr_data.pairs.search.concept_folding import Words, read_synonyms
from cvr_data.pairs.search.concept_mentions import KINDS, Mention, mentions
from cvr_data.pairs.search.concept_sets import (  # fmt: skip
    ConceptSet,
    Difference,
    Folding,
    Frames,
    difference,
    folded_set,
    folding,
    head_counts,
    mentions_by_video,
    mentions_in_frames,
    open_frames,
)
from cvr_data.pairs.search.concept_tables import (  # fmt: skip
    as_concepts,
    as_mentions,
    concepts_in,
    counted_heads,
    counted_uses,
    folded_words,
    load_folding,
    load_vocabulary,
    mentions_in,
    most_used,
    together,
)
from cvr_data.pairs.search.nearest import Neighbours
from cvr_data.pairs.search.pairs import with_video_columns
from cvr_data.tables import CHANGE, PAIRS, pair_id

if TYPE_CHECKING:
    from cvr_data.features.store import FeatureStore

VERSION = 3
LANGUAGES = ("en",)
NAME = "concept"
NEIGHBOURS = "neighbours"
MEET_BY = "reference"
CAPTIONS = 8192
"""Captions of a job that tags or encodes them."""
FOUND = 100_000
"""Neighbours of a job that compares their concepts."""
_ALL = 2**62
"""Rows of one bucket: all of them."""

EXAMPLE = {
    "a red car drives by": ["a blue car drives by"],
    "a blue car drives by": ["a red car drives by"],
    "rain falls": [],
}
ROWS = pa.schema(
    [
        *((name, pa.string()) for name in PAIRS.names[:6]),
        ("changes", pa.list_(CHANGE)),
        *((name, pa.list_(pa.string())) for name in ("retained", "injected", "excluded")),
        ("neighbour_similarity", pa.float32()),
        ("drop_reason", pa.string()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Config:
    neighbours: int = 20
    """Nearest videos of each reference that are looked at, as FineCVR's 20."""
    nearest_by: Literal["captions", "frames"] = "captions"
    """What makes videos near: the mean sentence embedding of their captions, or their frames (needs --embeddings)."""
    concepts_from: Literal["captions", "frames", "both"] = "captions"
    """Where concepts are read; frames need --embeddings with videos and texts in one space."""
    frame_threshold: float = 0.17
    """Cosine of a frame and a word from which the video shows it; FineCVR's, of CLIP. Other encoders need their own."""
    frame_concepts: int = 5
    """Of the words above the threshold, the best so many count: a fitted head gives 0.17 to 48 words of 300."""
    vocabulary: Path | None = None
    """Words to look for in frames, one a line; by default the most frequent concepts of the corpus' own captions."""
    vocabulary_size: int = 1000
    """How many concepts of the corpus are looked for in frames."""
    caption_share: float = 0.25
    """Of a video's captions, those that must name a concept: with one to four captions, any."""
    synonym_similarity: float = 0.8
    """MiniLM cosine from which two words are one, unless they are opposites; above 1 folds only those of `synonyms`."""
    synonyms: Path | None = None
    """Groups of words that are one, a line each: `big, large, huge`."""
    max_changes: int = 4
    """A pair with more changes is dropped as `too_many_changes`: no short text tells them."""

    def __post_init__(self) -> None:
        if min(self.neighbours, self.frame_concepts, self.vocabulary_size, self.max_changes) < 1:
            raise ValueError("neighbours, frame_concepts, vocabulary_size and max_changes must be at least 1.")
        if not 0 <= self.caption_share <= 1:
            raise ValueError(f"caption_share must be between 0 and 1, got {self.caption_share}.")


def inputs(config: Config) -> dict[str, Path]:
    """Return the files that are read beside the videos."""
    named = {"synonyms": config.synonyms, "vocabulary": config.vocabulary}
    return {name: path for name, path in named.items() if path is not None}


def mined(config: Config, videos: Flow, embeddings: Path | None = None) -> Flow:
    """Return one row per ordered pair, and one with `drop_reason` per pair or video that was left out.

    Raises:
        CvrError: frames are asked for without embeddings, or a file cannot be read.
    """
    from cvr_data.pairs.search.nearest import Band
    from cvr_data.pairs.search.neighbour_jobs import neighbours

    run, stores = videos.run, _stores(config, embeddings)
    told = KeyedStep(name="mentions", run=_told, key=_by_id, sides=stores, bucket_values=CAPTIONS, **_renews(config))
    rows = run.rested(videos.then(told))
    if config.concepts_from != "captions" and embeddings is not None:
        sides = (_vocabulary(config, rows), Side(open_frames, (embeddings,)))
        rows = run.rested(rows.then(Step(name="seen", run=_seen, sides=sides, **_renews(config))))
    heads = rows.then(Step(name="words", run=counted_heads, **_renews(config)))
    about = _renews((config.synonym_similarity, config.synonyms))
    fold = KeyedStep(name="fold", run=folded_words, key=together, bucket_values=_ALL, on_gpu=True, **about)
    words = run.side(heads.then(fold), load_folding)
    about = _renews((config, embeddings))
    known, total = mapped(
        rows.then(Step(name="concepts", run=_chosen, sides=(words, *stores), on_gpu=True, **about)), "video_id"
    )
    found = neighbours(run, known, total, Band(k=config.neighbours, low=-1.01, high=1.01))
    left_out = rows.then(Step(name="left out", run=_left_out, **_renews(config)))
    pairs = KeyedStep(
        name=NAME, run=_pairs, key=_by_reference, config=config, sides=(known, words), makes_rows=True,
        bucket_values=FOUND,
    )  # fmt: skip
    return run.meet([found, left_out], pairs)


def explain(config: Config, reference: str, target: str) -> str:
    """Return what two captions retain, inject and exclude; synonyms are folded among their own words only."""
    told = mentions(normalised(pa.array([reference, target])).to_pylist())
    words, leaders = folding(head_counts(told), config.synonym_similarity, read_synonyms(config.synonyms))
    before, after = (folded_set(each, leaders) for each in told)
    found = difference(before, after, words)
    shown = [f"{name} {', '.join(getattr(found, name)) or 'nothing'}" for name in ("retained", "injected", "excluded")]
    reason = drop_reason(config, found)
    if reason is not None:
        return f"not a pair ({reason}): {'; '.join(shown)}"
    return f"a pair if the target is one of the {config.neighbours} nearest videos: {'; '.join(shown)}"


def drop_reason(config: Config, found: Difference) -> str | None:
    """Return why two concept sets make no pair; None if they do."""
    if not found.retained:
        return "nothing_retained"
    if not found.injected:
        return "nothing_injected"
    return "too_many_changes" if len(found.changes) > config.max_changes else None


def pairs_of(config: Config, videos: pa.Table, sets: Sequence[ConceptSet], near: Neighbours, words: Words) -> pa.Table:
    """Return one row per video and neighbour, sorted by their ids; `videos` has the sets in its order."""
    ids = videos.column("video_id").to_pylist()
    captions = [each[0] if each else "" for each in videos.column("captions").to_pylist()]
    columns: dict[str, list[Any]] = {name: [] for name in ROWS.names}
    for one, other, similarity in zip(near.query.tolist(), near.neighbour.tolist(), near.similarity, strict=True):
        found = difference(sets[one], sets[other], words)
        values = (
            pair_id(ids[one], ids[other], captions[one], captions[other]), ids[one], ids[other], captions[one],
            captions[other], NAME, found.changes, found.retained, found.injected, found.excluded, similarity,
            drop_reason(config, found),
        )  # fmt: skip
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value)
    return pa.table(columns, schema=ROWS).sort_by([("reference_id", "ascending"), ("target_id", "ascending")])


def _renews(config: Any) -> dict[str, Any]:
    return {"config": config, "makes_rows": True, "is_counted": False}


def _stores(config: Config, embeddings: Path | None) -> tuple[Side, ...]:
    """Return a side of the stored features, where frames are asked for."""
    wanted = {"nearest_by": config.nearest_by, "concepts_from": config.concepts_from}
    asked = [f"{name}={value}" for name, value in wanted.items() if value != "captions"]
    if asked and embeddings is None:
        raise CvrError(f"concept: {asked[0]} needs --embeddings EMBEDDINGS.")
    return (Side(_open_store, (embeddings,)),) if asked else ()


def _open_store(embeddings: Path) -> "FeatureStore":
    from cvr_data.features.store import FeatureStore

    return FeatureStore.open(embeddings, space="raw")


def _vocabulary(config: Config, rows: Flow) -> Side:
    """Return a side of the words that are looked for in frames."""
    if config.vocabulary is not None:
        return Side(_read_vocabulary, (config.vocabulary,))
    uses = rows.then(Step(name="uses", run=counted_uses, **_renews(config)))
    about = _renews(config.vocabulary_size)
    often = KeyedStep(name="vocabulary", run=most_used, key=together, bucket_values=_ALL, **about)
    return rows.run.side(uses.then(often), load_vocabulary)


def _by_id(config: Config, videos: pa.Table) -> np.ndarray:
    return hashes_of(videos.column("video_id"))


def _told(config: Config, videos: pa.Table, *stores: "FeatureStore") -> pa.Table:
    """Return the videos with what their captions mention, and whether frames that are asked for are there."""
    ids = videos.column("video_id").to_pylist()
    has_features = stores[0].has_videos(ids) if stores else np.ones(len(ids), bool)
    mentions: list[list[Mention]] = [[] for _ in ids]
    if config.concepts_from != "frames" or config.vocabulary is None:
        rows = np.flatnonzero(has_features)
        for row, found in zip(rows, mentions_by_video(videos.take(pa.array(rows)), config.caption_share), strict=True):
            mentions[row] = found
    return videos.append_column("mentions", as_mentions(mentions)).append_column("has_features", pa.array(has_features))


def _seen(config: Config, videos: pa.Table, vocabulary: list[Mention], frames: Frames) -> pa.Table:
    """Return the videos with what their frames show, in the place of what their captions mention or after it."""
    told = mentions_in(videos.column("mentions"))
    rows = np.flatnonzero(videos.column("has_features").to_numpy())
    ids = videos.column("video_id").take(pa.array(rows)).to_pylist()
    found = mentions_in_frames(ids, vocabulary, frames, least=config.frame_threshold, most=config.frame_concepts)
    for row, seen in zip(rows, found, strict=True):
        told[row] = seen if config.concepts_from == "frames" else [*told[row], *seen]
    return with_column(videos, "mentions", as_mentions(told))


def _has_concepts(videos: pa.Table) -> pa.ChunkedArray:
    return pc.greater(pc.list_value_length(videos.column("mentions")), 0)


def _chosen(about: tuple[Config, Path | None], videos: pa.Table, words: Folding, *stores: "FeatureStore") -> pa.Table:
    """Return the videos that have concepts, with these and their vectors."""
    config, embeddings = about
    videos = videos.filter(pc.and_(_has_concepts(videos), videos.column("has_features")))
    sets = [folded_set(mentions, words.leaders) for mentions in mentions_in(videos.column("mentions"))]
    store = stores[0] if config.nearest_by == "frames" else None
    vectors = as_vectors(_vectors(videos, embeddings, store))
    videos = videos.drop_columns(["mentions", "has_features"]).append_column("concepts", as_concepts(sets))
    firsts = pc.list_slice(videos.column("captions"), 0, 1)
    return with_column(videos, "captions", firsts).append_column(VECTOR, vectors)


def _left_out(config: Config, videos: pa.Table) -> pa.Table:
    """Return the videos that are in no pair, with why."""
    reason = pc.if_else(videos.column("has_features"), pa.scalar("no_concepts"), pa.scalar("no_features"))
    is_out = pc.invert(pc.and_(_has_concepts(videos), videos.column("has_features")))
    videos = videos.append_column("reason", reason).filter(is_out)
    return videos.drop_columns(["captions", "mentions", "has_features"])


def _by_reference(config: Config, found: pa.Table) -> np.ndarray:
    if "query" not in found.column_names:
        return _by_id(config, found)
    return mixed(found.column("query").to_numpy().astype(np.uint64))


def _pairs(config: Config, found: pa.Table, known: MappedRows, words: Folding) -> pa.Table:
    """Return the pairs of the videos that were found, and those that were left out."""
    left_out = found.filter(pc.is_valid(found.column("reason")))
    found = found.filter(pc.is_valid(found.column("query")))
    ends = np.stack([found.column(name).to_numpy() for name in ("query", "neighbour")]).astype(np.int64)
    numbers, local = np.unique(ends, return_inverse=True)
    of_videos = [name for name in left_out.column_names if name not in ("query", "neighbour", "similarity", "reason")]
    rows = known.take(numbers, [*of_videos, "captions", "concepts"])
    query, neighbour = local.reshape(ends.shape)
    near = Neighbours(query, neighbour, found.column("similarity").to_numpy())
    pairs = pairs_of(config, rows, concepts_in(rows.column("concepts")), near, words.words)
    left = [_dropped(left_out, reason) for reason in ("no_concepts", "no_features")]
    videos = pa.concat_tables([rows.select(of_videos), left_out.select(of_videos)])
    return with_video_columns(pa.concat_tables([pairs, *left], promote_options="permissive"), videos)


def _read_vocabulary(path: Path | None) -> list[Mention]:
    """Return the words of a file, each with what the tagger says it is; none without a file."""
    if path is None:
        return []
    if not path.is_file():
        raise CvrError(f"No vocabulary at {path}; it has one concept a line.")
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    found = [told[0] for told in mentions(normalised(pa.array(lines, pa.string())).to_pylist()) if told]
    if not found:
        raise CvrError(f"{path} names no object, scene, attribute or action (it has {first_few(lines)}).")
    return sorted(set(found), key=lambda mention: (KINDS.index(mention.kind), mention.key, mention.phrase))


def _vectors(videos: pa.Table, embeddings: Path | None, store: "FeatureStore | None") -> np.ndarray:
    """Return (N, D) float32 unit vectors of the videos: of their frames in a store, else of their captions."""
    if store is not None:
        return store.pooled(videos.column("video_id").to_pylist()).numpy()
    lists = videos.column("captions").combine_chunks()
    texts = pc.list_flatten(lists)
    distinct = pc.unique(texts).sort()
    if not len(distinct):
        return np.empty((0, 1), np.float32)
    vectors_TD = text_vectors(distinct, embeddings)[pc.index_in(texts, distinct).to_numpy(zero_copy_only=False)]
    sizes = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    sums_ND = np.add.reduceat(vectors_TD.astype(np.float64), np.append(0, np.cumsum(sizes)[:-1]))
    return (sums_ND / np.linalg.norm(sums_ND, axis=1, keepdims=True)).astype(np.float32)


def _dropped(left_out: pa.Table, reason: str) -> pa.Table:
    """Return one dropped row per video that was left out for a reason."""
    ids = sorted(left_out.filter(pc.equal(left_out.column("reason"), reason)).column("video_id").to_pylist())
    rows = [{"pair_id": pair_id(name, "", "", ""), "reference_id": name, "strategy": NAME} for name in ids]
    schema = pa.schema([pa.field(name, pa.string()) for name in ("pair_id", "reference_id", "strategy")])
    return pa.Table.from_pylist(rows, schema=schema).append_column(
        "drop_reason", pa.repeat(reason, len(rows)).cast(pa.string())
    )

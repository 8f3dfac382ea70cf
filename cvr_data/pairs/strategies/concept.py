"""Pair near videos that share some concepts and differ in others: objects, scenes, attributes and actions.

Each video has a set of concepts, from its captions by spaCy's tags or from its frames by their cosine with the words of
a vocabulary. Of a reference A and each of its nearest videos B, retained = A and B, injected = B without A, excluded =
A without B; a pair has something retained and something injected. What is excluded is matched with what is injected in
the same slot, the most alike by word embedding first, and each match is a change, typed static or action.

Synonyms are folded by the similarity of MiniLM embeddings, as WordNet cannot be had as a package, and by a file.

Source: FineCVR-1M of FDCA, Wu et al., ICLR 2025 (https://openreview.net/forum?id=wGa2plE8ka); its prompts and code were
not released, only its threshold and its texts of retained, injected and excluded concepts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.stages import PART_ROWS
from cvr_data.features.similarities import text_vectors
from cvr_data.language.normalise import normalised
from cvr_data.pairs.search.concept_folding import read_synonyms
from cvr_data.pairs.search.concept_mentions import KINDS, Mention, mentions
from cvr_data.pairs.search.concept_sets import (  # fmt: skip
    ConceptSet,
    Difference,
    concept_sets,
    difference,
    mentions_by_video,
    mentions_in_frames,
    vocabulary_of,
)
from cvr_data.pairs.search.concept_sets import Words as WordVectors
from cvr_data.pairs.search.nearest import Band, Neighbours, nearest
from cvr_data.tables import CHANGE, PAIRS, pair_id

VERSION = 3
NAME = "concept"
NEIGHBOURS = "neighbours"

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
    workers: int = field(default=1, metadata={"output": False})
    """Processes that tag captions; the pairs are the same for any number."""

    def __post_init__(self) -> None:
        if min(self.neighbours, self.frame_concepts, self.vocabulary_size, self.max_changes, self.workers) < 1:
            raise ValueError("neighbours, frame_concepts, vocabulary_size, max_changes and workers must be at least 1.")
        if not 0 <= self.caption_share <= 1:
            raise ValueError(f"caption_share must be between 0 and 1, got {self.caption_share}.")


def inputs(config: Config) -> dict[str, Path]:
    """Return the files that are read beside the videos."""
    named = {"synonyms": config.synonyms, "vocabulary": config.vocabulary}
    return {name: path for name, path in named.items() if path is not None}


def run(config: Config, videos: pa.Table, embeddings: Path | None = None) -> pa.Table:
    """Return one row per ordered pair, sorted, and one with `drop_reason` per pair or video that was left out.

    Raises:
        CvrError: frames are asked for without embeddings, or a file cannot be read.
    """
    return pa.concat_tables(tables(config, videos, embeddings), promote_options="permissive")


def tables(config: Config, videos: pa.Table, embeddings: Path | None = None) -> Iterator[pa.Table]:
    """Yield the rows of `run`, all of a reference in one table."""
    ordered = videos.select(["video_id", "captions"]).sort_by("video_id")
    ordered, featureless = _with_features(config, ordered, embeddings)
    sets, words = _sets(config, ordered, embeddings)
    has_concepts = np.array([bool(found) for found in sets], bool)
    silent = ordered.filter(pa.array(~has_concepts))
    chosen = ordered.filter(pa.array(has_concepts))
    kept_sets = [found for found in sets if found]
    near = nearest(_vectors(config, chosen, embeddings), Band(k=config.neighbours, low=-1.01, high=1.01))
    left_out = [_left_out(silent, "no_concepts"), _left_out(featureless, "no_features")]
    references = max(1, PART_ROWS // config.neighbours)
    for start in range(0, max(chosen.num_rows, 1), references):
        some = near.of(start, start + references)
        is_last = start + references >= chosen.num_rows
        rows = pairs_of(config, chosen, kept_sets, some, words)
        yield pa.concat_tables([rows, *(left_out if is_last else [])], promote_options="permissive")


def explain(config: Config, reference: str, target: str) -> str:
    """Return what two captions retain, inject and exclude; synonyms are folded among their own words only."""
    told = mentions(normalised(pa.array([reference, target])).to_pylist())
    sets, words = concept_sets(told, config.synonym_similarity, read_synonyms(config.synonyms))
    found = difference(sets[0], sets[1], words)
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


def pairs_of(
    config: Config, videos: pa.Table, sets: Sequence[ConceptSet], near: Neighbours, words: WordVectors
) -> pa.Table:
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


def _sets(config: Config, videos: pa.Table, embeddings: Path | None) -> tuple[list[ConceptSet], WordVectors]:
    """Return the concepts of each video, from where the config says."""
    reads_captions = config.concepts_from != "frames" or config.vocabulary is None
    told = mentions_by_video(videos, config.caption_share, config.workers) if reads_captions else []
    if config.concepts_from != "captions" and embeddings is not None:
        vocabulary = _read_vocabulary(config.vocabulary) or vocabulary_of(told, config.vocabulary_size)
        ids = videos.column("video_id").to_pylist()
        seen = mentions_in_frames(ids, vocabulary, embeddings, least=config.frame_threshold, most=config.frame_concepts)
        told = seen if config.concepts_from == "frames" else [[*a, *b] for a, b in zip(told, seen, strict=True)]
    return concept_sets(told, config.synonym_similarity, read_synonyms(config.synonyms))


def _read_vocabulary(path: Path | None) -> list[Mention]:
    """Return the words of a file, each with what the tagger says it is; none without a file."""
    if path is None:
        return []
    if not path.is_file():
        raise CvrError(f"No vocabulary at {path}; it has one concept a line.")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    found = [told[0] for told in mentions(normalised(pa.array(lines, pa.string())).to_pylist()) if told]
    if not found:
        raise CvrError(f"{path} names no object, scene, attribute or action (it has {first_few(lines)}).")
    return sorted(set(found), key=lambda mention: (KINDS.index(mention.kind), mention.key, mention.phrase))


def _vectors(config: Config, videos: pa.Table, embeddings: Path | None) -> np.ndarray:
    """Return (N, D) float32 unit vectors of the videos."""
    if config.nearest_by == "frames" and embeddings is not None:
        from cvr_data.features.store import FeatureStore

        return FeatureStore.open(embeddings, space="raw").pooled(videos.column("video_id").to_pylist()).numpy()
    lists = videos.column("captions").combine_chunks()
    texts = pc.list_flatten(lists)
    distinct = pc.unique(texts).sort()
    if not len(distinct):
        return np.empty((0, 1), np.float32)
    vectors_TD = text_vectors(distinct, embeddings)[pc.index_in(texts, distinct).to_numpy(zero_copy_only=False)]
    sizes = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    sums_ND = np.add.reduceat(vectors_TD.astype(np.float64), np.append(0, np.cumsum(sizes)[:-1]))
    return (sums_ND / np.linalg.norm(sums_ND, axis=1, keepdims=True)).astype(np.float32)


def _with_features(config: Config, videos: pa.Table, embeddings: Path | None) -> tuple[pa.Table, pa.Table]:
    """Return the videos whose frames can be asked, and those that have no stored features; all, if none are asked."""
    from cvr_data.features.store import FeatureStore

    wanted = {"nearest_by": config.nearest_by, "concepts_from": config.concepts_from}
    asked = [f"{name}={value}" for name, value in wanted.items() if value != "captions"]
    if not asked:
        return videos, videos.slice(0, 0)
    if embeddings is None:
        raise CvrError(f"concept: {asked[0]} needs --embeddings EMBEDDINGS.")
    known = pa.array(FeatureStore.open(embeddings, space="raw").video_ids, pa.string())
    has_features = pc.is_in(videos.column("video_id"), known)
    return videos.filter(has_features), videos.filter(pc.invert(has_features))


def _left_out(videos: pa.Table, reason: str) -> pa.Table:
    """Return one dropped row per video."""
    ids = videos.column("video_id").to_pylist()
    rows = [{"pair_id": pair_id(name, "", "", ""), "reference_id": name, "strategy": NAME} for name in ids]
    schema = pa.schema([pa.field(name, pa.string()) for name in ("pair_id", "reference_id", "strategy")])
    return pa.Table.from_pylist(rows, schema=schema).append_column(
        "drop_reason", pa.repeat(reason, len(rows)).cast(pa.string())
    )

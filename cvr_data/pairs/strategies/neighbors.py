"""Pair videos whose captions are near each other in the space of a sentence encoder.

Each distinct caption is compared with all others; its k nearest inside a band of cosines are its neighbours, whatever
the neighbours of the others are: nothing is cut off for the corpus as a whole. Two captions are a pair, in both
directions, if one is a neighbour of the other (`-o mutual=true`: if each is). What changes is every span of words that
differs, so a pair may have several changes. `text_similarity` is the cosine that was searched by.

Captions come from `--embeddings` where these are given; else they are encoded here, which takes far longer than the
search itself. The search is exact and takes about 1 KB per caption beside the vectors (k = 10).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.progress import Progress
from cvr_data.core.stages import PART_ROWS
from cvr_data.features.encode_texts import Encode, encoded_slices
from cvr_data.features.encoders import ENCODERS
from cvr_data.language.words import words_of
from cvr_data.pairs.search.captions import Captions, blanked, read_captions
from cvr_data.pairs.search.differences import change_lists, turned
from cvr_data.pairs.search.pairs import ChangedPairs, DroppedGroup, pairs_table

VERSION = 2
NAME = "neighbors"
NEIGHBOURS = "k"

EXAMPLE = {
    "a dog runs on the beach": ["a puppy is running at the beach"],
    "a puppy is running at the beach": ["a dog runs on the beach"],
    "rain falls": [],
}
ENCODED = 2048
"""Captions encoded or read at once, which bounds the memory."""


@dataclass(frozen=True, kw_only=True)
class Config:
    k: int = 10
    """Neighbours of each caption, at most."""
    low: float = 0.41
    """Cosine of a neighbour, at least; 0.41 to 0.976 keeps 98 % of the WebVid-CoVR pairs that people kept (MiniLM)."""
    high: float = 0.976
    """Cosine of a neighbour, at most: above it captions say the same. Such captions take no neighbour's place."""
    mutual: bool = False
    """Keep a pair only if each caption is among the k neighbours of the other."""
    text_encoder: str = "minilm"
    """Encoder of the captions when no `--embeddings` are given; see `cvr list encoders`."""
    min_words: int = 2
    """Captions shorter than this are left out."""
    max_videos_per_caption: int = 50
    """A caption that more videos than this share is dropped as one row: it says nothing about any of them."""

    def __post_init__(self) -> None:
        if self.k < 1 or self.min_words < 1 or self.max_videos_per_caption < 1:
            raise ValueError("k, min_words and max_videos_per_caption must be at least 1.")
        if not -1 <= self.low < self.high:
            raise ValueError(f"low must be at least -1 and below high, got {self.low} and {self.high}.")


def run(config: Config, videos: pa.Table, embeddings: Path | None = None) -> pa.Table:
    """Return one row per ordered pair of videos, sorted, and one row with `drop_reason` per caption left out.

    Raises:
        CvrError: the embeddings lack a caption, or the encoder takes no texts.
    """
    return pa.concat_tables(tables(config, videos, embeddings), promote_options="permissive")


def tables(config: Config, videos: pa.Table, embeddings: Path | None = None) -> Iterator[pa.Table]:
    """Yield the rows of `run`, each table of some references' captions."""
    captions = read_captions(videos, config.min_words, config.max_videos_per_caption)
    crowded = [DroppedGroup(text, "crowded_caption", 1, count) for text, count in captions.crowded]
    found = find_pairs(config, captions, embeddings)
    for start in range(0, max(len(found.reference), 1), PART_ROWS):
        some = found.part(start, start + PART_ROWS)
        yield pairs_table(captions, some, crowded if start == 0 else [], NAME)


def explain(config: Config, reference: str, target: str) -> str:
    """Return why two captions are no pair, or may be one; whose neighbours they are depends on all captions."""
    before, after = words_of(reference), words_of(target)
    if min(len(before), len(after)) < config.min_words:
        return f"not a pair: a caption has fewer than {config.min_words} words"
    if before == after:
        return "not a pair: no word differs"
    first_D, second_D = caption_vectors(config, [reference, target], None)
    similarity = float(first_D.astype(np.float64) @ second_D)
    told = f"the captions' similarity by {config.text_encoder} is {similarity:.3f}"
    if not config.low <= similarity <= config.high:
        return f"not a pair: {told}, outside {config.low:g} to {config.high:g}"
    who = "each is" if config.mutual else "one is"
    return f"a pair if {who} among the {config.k} nearest captions of the other: {told}"


def group_texts(reference: str, target: str) -> list[str]:
    """Return the texts of the groups whose removal would remove the pair of two captions."""
    return [blanked(words_of(reference), None), blanked(words_of(target), None)]


def find_pairs(config: Config, captions: Captions, embeddings: Path | None) -> ChangedPairs:
    """Return the ordered pairs of distinct captions, both directions of each."""
    from cvr_data.pairs.search.nearest import Band, nearest

    texts = captions.texts.take(pa.array(captions.entry_offsets[:-1]))
    by_text = np.argsort(np.array(texts.to_pylist(), object), kind="stable")
    vectors_ND = caption_vectors(config, texts.take(pa.array(by_text)).to_pylist(), embeddings)
    found = nearest(vectors_ND, Band(k=config.k, low=config.low, high=config.high))
    keys = found.query * len(texts) + found.neighbour
    reversed_keys = found.neighbour * len(texts) + found.query
    both, places = np.unique(np.concatenate([keys, reversed_keys]), return_index=True)
    similarity = np.tile(found.similarity, 2)[places].astype(np.float32)
    if config.mutual:
        is_mutual = np.isin(both, keys[np.isin(keys, reversed_keys)])
        both, similarity = both[is_mutual], similarity[is_mutual]
    reference, target = (by_text[side] for side in np.divmod(both, max(len(texts), 1)))
    columns = {"text_similarity": pa.array(similarity)}
    return ChangedPairs(reference, target, _changes(captions, reference, target), columns)


def caption_vectors(config: Config, texts: Sequence[str], embeddings: Path | None) -> np.ndarray:
    """Return (N, D) float32 unit vectors; sorted distinct texts give the same in any company.

    Raises:
        CvrError: the embeddings lack a caption, or the encoder takes no texts.
    """
    slices = [texts[start : start + ENCODED] for start in range(0, len(texts), ENCODED)]
    key = embeddings and open_artifact(embeddings).key
    vectors = []
    with Progress("encode captions", len(texts), "captions") as progress:
        for found in encoded_slices(_text_encoder, (config.text_encoder, embeddings, key), slices):
            vectors.append(found)
            progress.advance(len(found))
    return np.concatenate(vectors) if vectors else np.empty((0, 1), np.float32)


def _text_encoder(name: str, embeddings: Path | None, key: str | None) -> Encode:
    from cvr_data.features.store import FeatureStore

    if embeddings:
        source = FeatureStore.open(embeddings, space="raw").texts
    else:
        encoder = ENCODERS.get(name).load(ENCODERS.config(name))
        if not encoder.text_dim:
            raise CvrError(f"The encoder {name!r} takes no texts; choose another text_encoder.")
        source = encoder.encode_texts
    return lambda texts: source(texts).pooled_BD.numpy()


def _changes(captions: Captions, reference: np.ndarray, target: np.ndarray) -> Callable[[np.ndarray], pa.ListArray]:
    first_word = np.append(0, np.cumsum(captions.lengths))

    def said(numbers: np.ndarray) -> list[list[str]]:
        bounds = zip(first_word[numbers].tolist(), first_word[numbers + 1].tolist(), strict=True)
        spelled = captions.vocabulary.to_pylist()
        return [[spelled[word] for word in captions.word_ids[start:end].tolist()] for start, end in bounds]

    def changes(rows: np.ndarray) -> pa.ListArray:
        ordered = np.sort(np.column_stack([reference[rows], target[rows]]), axis=1)
        pairs, place = np.unique(ordered, axis=0, return_inverse=True)
        lists = change_lists(said(pairs[:, 0]), said(pairs[:, 1])).take(pa.array(place.ravel()))
        return turned(lists, reference[rows] > target[rows])

    return changes

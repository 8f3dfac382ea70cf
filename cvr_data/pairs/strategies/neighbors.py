"""Pair videos whose captions are near each other in the space of a sentence encoder.

Each distinct caption is compared with all others; its k nearest inside a band of cosines are its neighbours, whatever
the neighbours of the others are: nothing is cut off for the corpus as a whole. Two captions are a pair, in both
directions, if one is a neighbour of the other (`-o mutual=true`: if each is). What changes is every span of words that
differs, so a pair may have several changes. `text_similarity` is the cosine that was searched by.

Captions come from `--embeddings` where these are given; else they are encoded, which takes far longer than the search
itself. Up to `exact_up_to` captions the search is exact. More are searched by an inverted file of FAISS (`pip install
'cvr[faiss]'`), which finds most of the neighbours in time that grows with N to the power 1.5; with exact_up_to=0 all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.mapped_rows import VECTOR, MappedRows, mapped, mapped_rows_column
from cvr_data.core.parts import hash_bucket_keys, mix_hash_bits
from cvr_data.core.progress import Progress
from cvr_data.core.ranges import SIZE, Ranged, option_range
from cvr_data.core.runner import Flow
from cvr_data.core.stages import KeyedStep, Step
from cvr_data.features.similarities import Encode, encoded_slices, network_of_texts
from cvr_data.language.normalise import normalised
from cvr_data.language.words import words_of
from cvr_data.pairs.search.captions import (
    Captions,
    blanked_captions_to_mine,
    captions_of_mining_rows,
    mining_caption_rows,
    read_captions_to_mine,
)
from cvr_data.pairs.search.differences import change_lists, turned_pair_changes
from cvr_data.pairs.search.groups import counting
from cvr_data.pairs.search.halves import videos_of_mining_rows
from cvr_data.pairs.search.pairs import ChangedPairs, DroppedGroup, pairs_table, pairs_with_video_columns

VERSION = 3
NAME = "neighbors"
NEIGHBOURS = "k"
MEET_BY = "caption pair"

EXAMPLE = {
    "a dog runs on the beach": ["a puppy is running at the beach"],
    "a puppy is running at the beach": ["a dog runs on the beach"],
    "rain falls": [],
}
ENCODED = 2048
"""Captions encoded or read at once, which bounds the memory."""
CAPTIONS = 8192
"""Captions of a job that encodes them."""
FOUND = 100_000
"""Neighbours of a job that makes pairs of them."""


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    k: int = field(default=10, metadata=option_range(SIZE))
    """Neighbours of each caption, at most."""
    low: float = field(default=0.41, metadata=option_range("[-1, inf)"))
    """Cosine of a neighbour, at least; 0.41 to 0.976 keeps 98 % of the WebVid-CoVR pairs that people kept (MiniLM)."""
    high: float = 0.976
    """Cosine of a neighbour, at most: above it captions say the same. Such captions take no neighbour's place."""
    mutual: bool = False
    """Keep a pair only if each caption is among the k neighbours of the other."""
    text_encoder: str = "minilm"
    """Encoder of the captions when no `--embeddings` are given; see `cvr list encoders`."""
    min_words: int = field(default=2, metadata=option_range(SIZE))
    """Captions shorter than this are left out."""
    max_videos_per_caption: int = field(default=50, metadata=option_range(SIZE))
    """A caption that more videos than this share is dropped as one row: it says nothing about any of them."""
    exact_up_to: int = 200_000
    """Distinct captions of which every two are compared; where there are more, FAISS finds most of the neighbours."""
    probes: int = field(default=32, metadata=option_range(SIZE))
    """Cells of about N / (4 sqrt(N)) captions that FAISS looks into for each; twice as many take twice as long."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}.")


def mined(config: Config, videos: Flow, embeddings: Path | None = None) -> Flow:
    """Return one row per ordered pair of videos, and one row with `drop_reason` per caption left out.

    Raises:
        CvrError: the embeddings lack a caption, the encoder takes no texts, or FAISS is needed and not there.
    """
    from cvr_data.pairs.search.inverted_file import InvertedFile, check_mining_index_installed
    from cvr_data.pairs.search.nearest import Band
    from cvr_data.pairs.search.neighbour_jobs import mine_neighbours

    renews: dict[str, Any] = {"config": config, "makes_rows": True, "is_counted": False}
    said = videos.then(Step(name="captions", run=_captions_of_neighbors, **renews))
    alike = KeyedStep(name="distinct captions", run=_distinct_captions, key=_by_words, bucket_values=CAPTIONS, **renews)
    distinct = videos.run.rested(said.then(alike))
    inverted = None
    if distinct.values > config.exact_up_to:
        check_mining_index_installed(
            f"neighbors of {distinct.values} captions", f"-o exact_up_to={distinct.values} (far slower)"
        )
        inverted = InvertedFile(config.probes)
    encode = Step(name="encode", run=_encoded_captions, on_gpu=True, **{**renews, "config": (config, embeddings)})
    captions, total = mapped(distinct.then(encode), "text")
    band = Band(k=config.k, low=config.low, high=config.high)
    found = mine_neighbours(videos.run, captions, total, band, inverted)
    crowded = distinct.then(Step(name="crowded", run=_crowded_captions, **renews))
    pairs = KeyedStep(
        name=NAME, run=_neighbor_pairs, key=_by_pair, config=config, sides=(captions,), makes_rows=True,
        bucket_values=FOUND,
    )  # fmt: skip
    return videos.run.meet([found, crowded], pairs)


def explain(config: Config, reference: str, target: str) -> str:
    """Return why two captions are no pair, or may be one; whose neighbours they are depends on all captions."""
    before, after = words_of(reference), words_of(target)
    if min(len(before), len(after)) < config.min_words:
        return f"not a pair: a caption has fewer than {config.min_words} words"
    if before == after:
        return "not a pair: no word differs"
    first_D, second_D = mining_caption_vectors(config, [reference, target], None)
    similarity = float(first_D.astype(np.float64) @ second_D)
    told = f"the captions' similarity by {config.text_encoder} is {similarity:.3f}"
    if not config.low <= similarity <= config.high:
        return f"not a pair: {told}, outside {config.low:g} to {config.high:g}"
    who = "each is" if config.mutual else "one is"
    return f"a pair if {who} among the {config.k} nearest captions of the other: {told}"


def group_texts(reference: str, target: str) -> list[str]:
    """Return the texts of the groups whose removal would remove the pair of two captions."""
    return [blanked_captions_to_mine(words_of(reference), None), blanked_captions_to_mine(words_of(target), None)]


def mining_caption_vectors(config: Config, texts: Sequence[str], embeddings: Path | None) -> np.ndarray:
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

    if embeddings is None:
        return network_of_texts(name)
    store = FeatureStore.open(embeddings, space="raw")
    return lambda texts: store.texts(texts).pooled_BD.numpy()


def _captions_of_neighbors(config: Config, videos: pa.Table) -> pa.Table:
    """Return a row for each caption of a video."""
    lists = videos.column("captions").combine_chunks()
    sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    video = pc.list_parent_indices(lists)
    rows = videos.drop_columns(["captions"]).combine_chunks().take(video)
    return rows.append_column("caption", pc.list_flatten(lists)).append_column("place", pa.array(counting(sizes)))


def _by_words(config: Config, said: pa.Table) -> np.ndarray:
    return hash_bucket_keys(normalised(said.column("caption").combine_chunks()))


def _distinct_captions(config: Config, said: pa.Table) -> pa.Table:
    """Return the distinct captions with who says them, and those that too many say with how many."""
    videos = videos_of_mining_rows(said)
    captions = read_captions_to_mine(videos, config.min_words, config.max_videos_per_caption)
    texts, counts = zip(*captions.crowded, strict=True) if captions.crowded else ((), ())
    crowded = pa.table({"text": pa.array(texts, pa.string()), "n_videos": pa.array(counts, pa.int64())})
    rows = mining_caption_rows(captions, videos.drop_columns(["captions"]))
    return pa.concat_tables([rows, crowded], promote_options="permissive")


def _encoded_captions(about: tuple[Config, Path | None], distinct: pa.Table) -> pa.Table:
    rows = distinct.filter(pc.is_null(distinct.column("n_videos"))).drop_columns(["n_videos"]).sort_by("text")
    config, embeddings = about
    return rows.append_column(
        VECTOR, mapped_rows_column(mining_caption_vectors(config, rows.column("text").to_pylist(), embeddings))
    )


def _crowded_captions(config: Config, distinct: pa.Table) -> pa.Table:
    return distinct.filter(pc.is_valid(distinct.column("n_videos"))).select(["text", "n_videos"])


def _by_pair(config: Config, found: pa.Table) -> np.ndarray:
    """Return a number per row, equal for two captions in either direction."""
    if "query" not in found.column_names:
        return hash_bucket_keys(found.column("text"))
    ends = [found.column(name).to_numpy() for name in ("query", "neighbour")]
    return mix_hash_bits(mix_hash_bits(np.minimum(*ends).astype(np.uint64)) + np.maximum(*ends).astype(np.uint64))


def _neighbor_pairs(config: Config, found: pa.Table, known: MappedRows) -> pa.Table:
    """Return the ordered pairs of captions of which one, or each, was found from the other; and the crowded ones."""
    is_crowded = pc.is_valid(found.column("n_videos"))
    crowded = found.filter(is_crowded).select(["text", "n_videos"]).to_pylist()
    groups = [DroppedGroup(row["text"], "crowded_caption", 1, row["n_videos"]) for row in crowded]
    found = found.filter(pc.invert(is_crowded))
    ends = np.stack([found.column(name).to_numpy() for name in ("query", "neighbour")])
    numbers, local = np.unique(ends, return_inverse=True)
    captions, number, videos = captions_of_mining_rows(known.take(numbers, ["entries"]).column("entries"))
    query, neighbour = number[local.reshape(ends.shape)]
    both, similarity = _both_ways(query * len(numbers) + neighbour, neighbour * len(numbers) + query, found, config)
    reference, target = np.divmod(both, max(len(numbers), 1))
    changed = ChangedPairs(
        reference, target, _pair_changes(captions, reference, target), {"text_similarity": similarity}
    )
    return pairs_with_video_columns(pairs_table(captions, changed, groups, NAME), videos)


def _both_ways(
    keys: np.ndarray, turned_keys: np.ndarray, found: pa.Table, config: Config
) -> tuple[np.ndarray, pa.Array]:
    """Return the keys of the pairs in both directions, each once, and how near they are."""
    both, places = np.unique(np.concatenate([keys, turned_keys]), return_index=True)
    similarity = np.tile(found.column("similarity").to_numpy(), 2)[places].astype(np.float32)
    if config.mutual:
        is_mutual = np.isin(both, keys[np.isin(keys, turned_keys)])
        both, similarity = both[is_mutual], similarity[is_mutual]
    return both, pa.array(similarity)


def _pair_changes(
    captions: Captions, reference: np.ndarray, target: np.ndarray
) -> Callable[[np.ndarray], pa.ListArray]:
    first_word = np.append(0, np.cumsum(captions.lengths))

    def said(numbers: np.ndarray) -> list[list[str]]:
        bounds = zip(first_word[numbers].tolist(), first_word[numbers + 1].tolist(), strict=True)
        spelled = captions.vocabulary.to_pylist()
        return [[spelled[word] for word in captions.word_ids[start:end].tolist()] for start, end in bounds]

    def changes(rows: np.ndarray) -> pa.ListArray:
        ordered = np.sort(np.column_stack([reference[rows], target[rows]]), axis=1)
        pairs, place = np.unique(ordered, axis=0, return_inverse=True)
        lists = change_lists(said(pairs[:, 0]), said(pairs[:, 1])).take(pa.array(place.ravel()))
        return turned_pair_changes(lists, reference[rows] > target[rows])

    return changes

"""Cosine similarity of the captions and of the videos of pairs, computed once per distinct text or video."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache, partial
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.jobs import current_engine, mapped_in_order
from cvr_data.core.progress import Progress
from cvr_data.core.text_bands import MINILM
from cvr_data.features.kept_vectors import encoder_name_of_vectors, kept_vectors

if TYPE_CHECKING:
    from cvr_data.features.store import FeatureStore

Encode = Callable[[Sequence[str]], np.ndarray]

Reader = Callable[[Sequence[Sequence[str]]], Iterable[np.ndarray]]
"""Slices of texts or ids -> their vectors."""
CHUNK = 2048
"""Texts or videos read at once."""
ROWS = 100_000
"""Pairs whose two vectors are in memory at once."""
PHRASES = 256
"""Phrases that are encoded at once."""
SEEN_AS = "there is a {}"
"""How a thing is asked for: of five ways the one that told best which videos of MSR-VTT have it."""
_TEXTS_BY = {"embedded": MINILM}
"""Encoders of frames and texts -> the one whose their raw texts are."""


def text_encoder_of(embeddings: Path) -> str:
    """Return the name of the encoder that made the raw texts of stored features."""
    name = str(open_artifact(embeddings).manifest["config"]["encoder"])
    return _TEXTS_BY.get(name, name)


def text_similarities(pairs: pa.Table, embeddings: Path | None, encoder: str = MINILM) -> pa.Array:
    """Return float32 cosines of reference and target caption by one encoder of texts.

    Captions are read where `embeddings` has them by this very encoder; all others are encoded by it here, or were
    by an earlier command (`features.kept_vectors`).

    Raises:
        CvrError: the encoder takes no texts.
    """
    return _similarities(pairs, "reference_caption", "target_caption", _text_reader(embeddings, encoder), "texts")


def text_vectors(texts: pa.Array, embeddings: Path | None, encoder: str = MINILM) -> np.ndarray:
    """Return (N, D) unit vectors of texts by one encoder; sorted distinct texts give the same in any company."""
    return _vectors(texts, _text_reader(embeddings, encoder), "texts")


def _text_reader(embeddings: Path | None, encoder: str) -> Reader:
    about = (embeddings, embeddings and open_artifact(embeddings).key, encoder)
    return partial(encoded_slices, _text_encoder, about)


def _text_encoder(embeddings: Path | None, key: str | None, name: str) -> Encode:
    from cvr_data.features.store import FeatureStore

    is_same = embeddings is not None and text_encoder_of(embeddings) == name
    store = FeatureStore.open(embeddings, space="raw") if embeddings and is_same else None

    def encode(texts: Sequence[str]) -> np.ndarray:
        is_known = np.zeros(len(texts), bool) if store is None else np.asarray(store.has_texts(texts))
        known, others = ([*compress(texts, mask)] for mask in (is_known, ~is_known))
        if store is None or not known:
            return network_of_texts(name)(texts)
        found = store.texts(known).pooled_BD.numpy()
        vectors_ND = np.empty((len(texts), found.shape[1]), np.float32)
        vectors_ND[is_known] = found
        if others:
            vectors_ND[~is_known] = network_of_texts(name)(others)
        return vectors_ND

    return encode


@cache
def network_of_texts(name: str) -> Encode:
    """Return what gives the vectors of texts by an encoder with its defaults: those that any command made, or new ones.

    Raises:
        CvrError: the encoder takes no texts.
    """
    from cvr_data.features.encoders import ENCODERS

    loaded = ENCODERS.get(name).load(ENCODERS.config(name))
    if not loaded.text_dim:
        raise CvrError(f"The encoder {name!r} takes no texts; choose another.")
    maker = encoder_name_of_vectors(loaded)

    def made(texts: Sequence[str]) -> np.ndarray:
        return loaded.encode_texts(texts).pooled_BD.numpy()

    return made if maker is None else partial(kept_vectors, maker, encode=made)


def visual_similarities(pairs: pa.Table, embeddings: Path) -> pa.Array:
    """Return float32 cosines of the mean frame features of reference and target; null where one is not stored."""
    from cvr_data.features.store import FeatureStore

    store = FeatureStore.open(embeddings, space="raw")
    is_known = _are_stored(store, *(pairs.column(name).combine_chunks() for name in ("reference_id", "target_id")))

    def read(slices: Sequence[Sequence[str]]) -> Iterator[np.ndarray]:
        return (store.pooled(ids).numpy() for ids in slices)

    values = _similarities(pairs.filter(is_known), "reference_id", "target_id", read, "videos")
    everywhere = np.full(pairs.num_rows, np.nan, np.float32)
    everywhere[is_known.to_numpy(zero_copy_only=False)] = values.to_numpy()
    return pa.array(everywhere, from_pandas=True)


def _are_stored(store: "FeatureStore", one: pa.Array, other: pa.Array) -> pa.Array:
    """Whether the features of both videos are there; each is looked for once."""
    ids = pc.unique(pa.concat_arrays([one, other])).drop_null()
    known = ids.filter(pa.array(store.has_videos(ids.to_pylist()), pa.bool_()))
    return pc.and_(pc.is_in(one, known), pc.is_in(other, known))


def check_text_frame_similarity(embeddings: Path) -> None:
    """Raise CvrError where texts cannot be compared with the frames of stored features."""
    from cvr_data.features.encoders.stored import StoredEncoder
    from cvr_data.features.store import FeatureStore

    encoder = StoredEncoder(FeatureStore.open(embeddings))
    if encoder.text_dim != encoder.dim:
        raise CvrError(f"The encoder of {embeddings} takes no texts; embed with another, or fit heads: cvr fit-heads.")


def embedding_phrase_differences(
    phrases: pa.Array, having: pa.Array, lacking: pa.Array, embeddings: Path
) -> np.ndarray:
    """Return float32, by how much the frames of one video fit a phrase better than those of another: cosines.

    NaN where a phrase is null or a video is not stored. Each phrase is encoded once, and each video read once.

    Raises:
        CvrError: frames and texts lie in two spaces, and no heads were fitted.
    """
    from cvr_data.features.encoders.stored import StoredEncoder
    from cvr_data.features.store import FeatureStore

    store = FeatureStore.open(embeddings)
    encoder = StoredEncoder(store)
    is_asked = pc.and_(pc.is_valid(phrases), _are_stored(store, having, lacking))
    phrases, having, lacking = (each.filter(is_asked) for each in (phrases, having, lacking))
    words, ids = pc.unique(phrases).sort(), pc.unique(pa.concat_arrays([having, lacking])).sort()

    def read(slices: Sequence[Sequence[str]]) -> Iterator[np.ndarray]:
        return (store.pooled(each).numpy() for each in slices)

    def encode(slices: Sequence[Sequence[str]]) -> Iterator[np.ndarray]:
        for each in slices:
            asked = [SEEN_AS.format(word) for word in each]
            batches = (asked[at : at + PHRASES] for at in range(0, len(asked), PHRASES))
            yield np.concatenate([encoder.encode_texts(batch).pooled_BD.numpy() for batch in batches])

    found = np.full(len(is_asked), np.nan, np.float32)
    if len(words):
        text_ND, video_ND = _vectors(words, encode, "phrases"), _vectors(ids, read, "videos")
        text, *videos = (pc.index_in(each, of).to_numpy() for each, of in
                         ((phrases, words), (having, ids), (lacking, ids)))  # fmt: skip
        has, lacks = (np.einsum("nd,nd->n", text_ND[text], video_ND[rows]) for rows in videos)
        found[is_asked.to_numpy(zero_copy_only=False)] = has - lacks
    return found


def _similarities(pairs: pa.Table, first: str, second: str, read: Reader, unit: str) -> pa.Array:
    none = pa.array([], pa.string())  # a column of no rows may have no chunk
    both = pa.concat_arrays([none, *pairs.column(first).chunks, *pairs.column(second).chunks])
    # Sorted, so that a text is always encoded in the company of the same texts, whatever the order of the rows.
    distinct = pc.unique(both).sort() if len(both) else pa.array([], pa.string())
    table_ND = _vectors(distinct, read, unit)
    if not len(distinct):
        return pa.array([], pa.float32())
    rows = [pc.index_in(pairs.column(name), distinct).to_numpy() for name in (first, second)]
    chunks = range(0, pairs.num_rows, ROWS)
    cosines = [
        np.einsum("nd,nd->n", table_ND[rows[0][at : at + ROWS]], table_ND[rows[1][at : at + ROWS]]) for at in chunks
    ]
    return pa.array(np.concatenate(cosines).astype(np.float32))


def _vectors(items: pa.Array, read: Reader, unit: str) -> np.ndarray:
    vectors = [np.empty((0, 0), np.float32)] if not len(items) else []
    slices = [items.slice(start, CHUNK).to_pylist() for start in range(0, len(items), CHUNK)]
    with Progress("compare", len(items), unit) as progress:
        for found in read(slices):
            vectors.append(found)
            progress.advance(len(found))
    return np.concatenate(vectors)


def encoded_slices(
    load: Callable[..., Encode], arguments: tuple, slices: Sequence[Sequence[str]]
) -> Iterator[np.ndarray]:
    """Yield the vectors of each slice, in order, by what the module-level function `load` returns of the arguments.

    It is called once in a process, so the arguments name what it reads by its key, not only by its place.
    """
    if current_engine().is_here or len(slices) <= 1:
        yield from map(_loaded_in_process(load, arguments), slices)
    else:
        jobs = [(each,) for each in slices]
        yield from mapped_in_order(_encode_slice, jobs, shared=(load, arguments), on_gpu=True)


def _encode_slice(load: Callable[..., Encode], arguments: tuple, texts: Sequence[str]) -> np.ndarray:
    return _loaded_in_process(load, arguments)(texts)


@lru_cache(maxsize=1)
def _loaded_in_process(load: Callable[..., Encode], arguments: tuple) -> Encode:
    return load(*arguments)

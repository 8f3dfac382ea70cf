"""Cosine similarity of the captions and of the videos of pairs, computed once per distinct text or video."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.progress import Progress
from cvr_data.features.encode_texts import Encode, encoded_slices

Reader = Callable[[Sequence[Sequence[str]]], Iterable[np.ndarray]]
"""Slices of texts or ids -> their vectors."""
CHUNK = 2048
"""Texts or videos read at once."""
ROWS = 100_000
"""Pairs whose two vectors are in memory at once."""


def text_similarities(pairs: pa.Table, embeddings: Path | None) -> pa.Array:
    """Return float32 cosines of reference and target caption by the MiniLM sentence encoder.

    Captions whose features are stored in `embeddings` are read; the others are encoded here.
    """
    return _similarities(pairs, "reference_caption", "target_caption", _text_reader(embeddings), "texts")


def text_vectors(texts: pa.Array, embeddings: Path | None) -> np.ndarray:
    """Return (N, D) unit vectors of texts by the same encoder; sorted distinct texts give the same in any company."""
    return _vectors(texts, _text_reader(embeddings), "texts")


def _text_reader(embeddings: Path | None) -> Reader:
    return partial(encoded_slices, _text_encoder, (embeddings, embeddings and open_artifact(embeddings).key))


def _text_encoder(embeddings: Path | None, key: str | None) -> Encode:
    from cvr_data.features.encoders import ENCODERS
    from cvr_data.features.store import FeatureStore

    store = FeatureStore.open(embeddings, space="raw") if embeddings else None
    encoder = ENCODERS.get("minilm").load(ENCODERS.config("minilm"))

    def encode(texts: Sequence[str]) -> np.ndarray:
        if store is not None and store.has_texts(texts).all():
            return store.texts(texts).pooled_BD.numpy()
        return encoder.encode_texts(texts).pooled_BD.numpy()

    return encode


def visual_similarities(pairs: pa.Table, embeddings: Path) -> pa.Array:
    """Return float32 cosines of the mean frame features of reference and target; null where one is not stored."""
    from cvr_data.features.store import FeatureStore

    store = FeatureStore.open(embeddings, space="raw")
    known = pa.array(sorted(store.video_ids), pa.string())
    is_known = pc.and_(*(pc.is_in(pairs.column(name), known) for name in ("reference_id", "target_id")))

    def read(slices: Sequence[Sequence[str]]) -> Iterator[np.ndarray]:
        return (store.pooled(ids).numpy() for ids in slices)

    values = _similarities(pairs.filter(is_known), "reference_id", "target_id", read, "videos")
    everywhere = np.full(pairs.num_rows, np.nan, np.float32)
    everywhere[is_known.to_numpy()] = values.to_numpy()
    return pa.array(everywhere, from_pandas=True)


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

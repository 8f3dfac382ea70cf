"""The features of a published dataset, as its config `embeddings` with the splits `videos` and `texts`.

load_dataset("user/name", "embeddings", split="videos")[0]    # item_id, embedding, frames

`embedding` is of unit length, `frames` one row per sampled frame. Only videos that may be published again have any, for
features can tell what a video shows; of the texts it is the modification texts, which are the dataset's own.
"""

from collections.abc import Callable, Sequence
from itertools import compress
from pathlib import Path

import numpy as np
import pyarrow as pa

from cvr_data.core.whole_files import json_bytes, write_bytes, write_parquet
from cvr_data.features.store import FeatureStore
from cvr_data.publish.redistribution import Publishable

SHARD_ITEMS = 5_000
CONFIG = "embeddings"


def publish_embedding_files(folder: Path, part: Publishable, embeddings: Path) -> dict[str, str]:
    """Write the Parquet files and return split -> glob of its files.

    Raises:
        CvrError: not an embeddings artifact, or its heads were not fitted.
    """
    store = FeatureStore.open(embeddings)
    (folder / CONFIG).mkdir(parents=True, exist_ok=True)
    videos, texts = sorted(part.free), sorted(set(part.triplets.column("modification").to_pylist()))
    videos, texts = list(compress(videos, store.has_videos(videos))), list(compress(texts, store.has_texts(texts)))
    splits = {}
    if videos:
        splits["videos"] = _write_published_shards(
            folder, "videos", videos, lambda ids: _published_video_features(store, ids)
        )
    if texts:
        splits["texts"] = _write_published_shards(
            folder, "texts", texts, lambda chunk: _published_text_features(store, chunk)
        )
    about = {"encoder": store.encoder, "space": "shared" if store.heads else "raw", "dim": store.dim,
             "videos": len(videos), "texts": len(texts), "key": store.artifact.key}  # fmt: skip
    write_bytes(folder / CONFIG / "encoder.json", json_bytes(about))
    return splits


def _write_published_shards(
    folder: Path, split: str, items: Sequence[str], rows_of: Callable[[Sequence[str]], pa.Table]
) -> str:
    shards = -(-len(items) // SHARD_ITEMS)
    for shard in range(shards):
        table = rows_of(items[shard * SHARD_ITEMS : (shard + 1) * SHARD_ITEMS])
        write_parquet(folder / CONFIG / f"{split}-{shard:05d}-of-{shards:05d}.parquet", table)
    return f"{CONFIG}/{split}-*.parquet"


def _published_video_features(store: FeatureStore, ids: Sequence[str]) -> pa.Table:
    features = store.frames(ids)
    frames_BTD, mask_BT = features.frames_BTD.numpy(), features.mask_BT.numpy()
    frames = [_published_vectors(frames_TD[mask_T]) for frames_TD, mask_T in zip(frames_BTD, mask_BT, strict=True)]
    embedding = _published_vectors(store.pooled(ids).numpy())
    frame_type = pa.list_(pa.list_(pa.float32()))
    return pa.table({"item_id": list(ids), "embedding": embedding, "frames": pa.array(frames, frame_type)})


def _published_text_features(store: FeatureStore, texts: Sequence[str]) -> pa.Table:
    return pa.table({"text": list(texts), "embedding": _published_vectors(store.texts(texts).pooled_BD.numpy())})


def _published_vectors(vectors_ND: np.ndarray) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(vectors_ND, np.float32).ravel(), pa.float32())
    width = vectors_ND.shape[1]
    return pa.ListArray.from_arrays(np.arange(0, len(flat) + 1, width, dtype=np.int32), flat)

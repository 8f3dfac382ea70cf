"""Leaks between the splits of a data set, with the features that its models read."""

# Shapes: N texts, D embedding.

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_bench.audit.leak import Config, Leaks, Side, Vectors, find_leak_pairs, find_leaks, leak_side, leak_videos
from cvr_bench.benchmarks.triplets import benchmark_rows_of_split
from cvr_bench.data.captions import CaptionSource
from cvr_bench.data.opened import Sources
from cvr_bench.data.training import TrainingSource
from cvr_bench.tasks.task import Task
from cvr_data.core.columns import check_columns
from cvr_data.features.protocol import Encoder
from cvr_data.features.store import FeatureStore
from cvr_data.tables import TRIPLETS

LEAKS_FILE = "leaks.parquet"
TRAIN = "train"
MOST_ENCODED = 50_000
"""Modification texts without stored features that are encoded for this; further ones are compared by their words."""


def data_leaks(
    config: Config, sources: Sources, split: str, source: TrainingSource | CaptionSource | None = None
) -> Leaks | None:
    """Return what a split shares with the triplets to train on, those of `source` or its own; None where are none.

    The summary also says, under `val`, which videos the split shares with the triplets that choose the checkpoint, and
    under `gallery`, how many of its gallery items stand in train, whether a query is about them or not.

    Raises:
        CvrError: the data cannot be read or has no row of the split.
    """
    if sources.benchmark is not None and source is None:
        return None
    train, val = (_rows(sources, source, name) for name in (TRAIN, "val"))
    if not train.num_rows:
        return None
    is_ours = sources.benchmark is None
    test = (
        leak_side(benchmark_rows_of_split(sources.triplets, split, sources.data))
        if is_ours
        else _side_of_task(sources.task(split))
    )
    store, encoder = sources.store, sources.encoder
    vectors_of = {"caption": _vectors(encoder, store, 0), "modification": _vectors(encoder, store, MOST_ENCODED)}
    found = find_leaks(config, leak_side(train), test, store, vectors_of)
    if split != "val" and val.num_rows:
        chosen = find_leak_pairs(leak_videos(test, store), leak_videos(leak_side(val), store), config.threshold, 0)
        found.summary["val"] = chosen.counted()
    items = frozenset(item.item_id for item in sources.task(split).gallery if item.video is not None)
    gallery = Side(
        groups=dict.fromkeys(sorted(items), ""), captions=frozenset(), modifications=frozenset(), videos_of={}
    )
    others = find_leak_pairs(leak_videos(gallery, store), leak_videos(leak_side(train), store), config.threshold, 0)
    found.summary["gallery"] = others.counted()
    return found


def _rows(sources: Sources, source: TrainingSource | CaptionSource | None, split: str) -> pa.Table:
    """The triplets of a split to learn from."""
    rows = (
        sources.triplets
        if source is None
        else source.triplets()
        if isinstance(source, TrainingSource)
        else source.table
    )
    return check_columns(rows.filter(pc.equal(rows.column("split"), split)), TRIPLETS, split)


def _side_of_task(task: Task) -> Side:
    """Return the videos and texts of a benchmark; of its items that are texts, those that answer a query."""
    text_of = {item.item_id: item.text or " ".join(item.texts) for item in task.gallery if item.video is None}
    videos_of, texts = {}, set()
    for query in task.queries:
        targets = task.targets[query.query_id]
        reference = {query.reference.item_id} if query.reference is not None else set()
        videos_of[query.query_id] = frozenset(reference | (targets - text_of.keys()))
        texts |= {query.modification} if query.modification else {text_of.get(name, "") for name in targets}
    groups = dict.fromkeys(sorted(frozenset().union(*videos_of.values())), "")
    return Side(groups=groups, captions=frozenset(), modifications=frozenset(texts), videos_of=videos_of)


def _vectors(encoder: Encoder, store: FeatureStore, most_encoded: int) -> Vectors:
    """Stored texts and at most so many others, in the space that models read."""

    def vectors(texts: Sequence[str]) -> np.ndarray:
        found = np.zeros((len(texts), encoder.text_dim), dtype=np.float32)
        is_stored = store.has_texts(texts)
        for rows in (np.flatnonzero(is_stored), np.flatnonzero(~is_stored)[:most_encoded]):
            for start in range(0, len(rows), 512):
                part = rows[start : start + 512]
                found[part] = encoder.encode_texts([texts[row] for row in part]).pooled_BD.numpy()
        return found

    return vectors

"""Leaks between the splits of a data set, with the features that its models read."""

# Shapes: N texts, D embedding.

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_bench.audit.leak import Config, Leaks, Vectors, find_leaks
from cvr_bench.benchmarks.triplets import rows_of_split
from cvr_bench.data.sources import Sources
from cvr_bench.tasks.task import Task
from cvr_data.core.columns import check_columns
from cvr_data.features.protocol import Encoder
from cvr_data.features.store import FeatureStore
from cvr_data.tables import TRIPLETS, triplet_id

LEAKS_FILE = "leaks.parquet"
TRAIN = "train"
MOST_ENCODED = 50_000
"""Modification texts without stored features that are encoded for this; further ones are compared by their words."""


def data_leaks(config: Config, sources: Sources, split: str, task: Task, encoder: Encoder) -> Leaks | None:
    """Return what a split shares with the triplets to train on; None where there are none.

    Raises:
        CvrError: the data cannot be read or has no row of the split.
    """
    if sources.benchmark is not None and sources.training is None:
        return None
    rows = sources.training.read() if sources.training else sources.triplets
    train = check_columns(rows.filter(pc.equal(rows.column("split"), TRAIN)), TRIPLETS, "train")
    if not train.num_rows:
        return None
    is_ours = sources.benchmark is None
    test = rows_of_split(sources.triplets, split, sources.data) if is_ours else task_rows(task)
    store = sources.store
    vectors_of = {"caption": _vectors(encoder, store, 0), "modification": _vectors(encoder, store, MOST_ENCODED)}
    return find_leaks(config, train, test, store, vectors_of)


def task_rows(task: Task) -> pa.Table:
    """Return the queries of a benchmark as triplets, one per target.

    Where texts are one side, the video of the other side is reference and target.
    """
    text_of = {item.item_id: item.text or " ".join(item.texts) for item in task.gallery if item.video is None}
    rows = [
        {
            "triplet_id": triplet_id(first_id, query.modification or text_of.get(target_id, ""), second_id),
            "query_id": query.query_id,
            "reference_id": first_id,
            "target_id": second_id,
            "modification": query.modification or text_of.get(target_id, ""),
            "style": "",
            "split": "test",
        }
        for query in task.queries
        for target_id in sorted(task.targets[query.query_id])
        for first_id in [query.reference.item_id if query.reference is not None else target_id]
        for second_id in [first_id if target_id in text_of else target_id]
    ]
    return pa.Table.from_pylist(rows, schema=TRIPLETS)


def _vectors(encoder: Encoder, store: FeatureStore, most_encoded: int) -> Vectors:
    """Stored texts and at most so many others, in the space that models read."""

    def vectors(texts: Sequence[str]) -> np.ndarray:
        found = np.zeros((len(texts), encoder.text_dim), dtype=np.float32)
        stored = [row for row, text in enumerate(texts) if store.has_text(text)]
        others = [row for row, text in enumerate(texts) if not store.has_text(text)][:most_encoded]
        for rows in (stored, others):
            for start in range(0, len(rows), 512):
                part = rows[start : start + 512]
                found[part] = encoder.encode_texts([texts[row] for row in part]).pooled_BD.numpy()
        return found

    return vectors

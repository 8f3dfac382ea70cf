"""Where the rows of stored items lie, in arrays: no Python object per item, so that millions of them fit.

index = ItemIndex.of(tables)        # the id tables of all parts of one kind, with their part and place
index.find(["video7", "nowhere"])   # array([6, -1])

Nothing here imports torch, which takes longer than all that `cvr data-status` and other look-ups do.
"""

# Shapes: N items stored, B items asked for.

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.whole_files import read_parquet

STAGE = "embed"
CHUNK = 16_384
"""Ids that are Python strings at once while they are hashed."""


@dataclass(frozen=True)
class ItemIndex:
    """Ids in the order of the parts, their columns, and a sorted array of hashes to find them by."""

    columns: pa.Table
    hash_N: np.ndarray
    """Sorted."""
    order_N: np.ndarray
    """Hash -> row of `columns`; of equal hashes the later row comes later."""
    most_alike: int
    """Rows that share a hash: 1 but for an id that is stored twice."""

    @classmethod
    def of(cls, columns: pa.Table) -> "ItemIndex":
        """Return the index of a table with a column `item_id`."""
        hashes = [np.zeros(0, np.int64)]
        for batch in columns.select(["item_id"]).to_batches(max_chunksize=CHUNK):
            hashes.append(_hashes(batch.column(0).to_pylist()))
        hash_N = np.concatenate(hashes)
        order_N = np.argsort(hash_N, kind="stable").astype(np.int32)
        hash_N = hash_N[order_N]
        most_alike = int(np.unique(hash_N, return_counts=True)[1].max(initial=1))
        return cls(columns.combine_chunks(), hash_N, order_N, most_alike)

    @property
    def ids(self) -> list[str]:
        """All ids, each once, in the order of the parts."""
        return self.columns.column("item_id").unique().to_pylist()

    def find(self, ids: Sequence[str]) -> np.ndarray:
        """Return the row of each id, -1 where it is not stored; of an id that is stored twice the later one."""
        found_B = np.full(len(ids), -1, np.int64)
        if not len(ids) or not len(self.hash_N):
            return found_B
        wanted_B = _hashes(ids)
        first_B = np.searchsorted(self.hash_N, wanted_B)
        for step in range(self.most_alike):
            place_B = np.minimum(first_B + step, len(self.hash_N) - 1)
            alike = np.flatnonzero(self.hash_N[place_B] == wanted_B)  # equal hashes need not be equal ids
            row_B = self.order_N[place_B[alike]]
            stored = self.columns.column("item_id").take(pa.array(row_B))
            is_same = pc.equal(stored, pa.array([ids[row] for row in alike.tolist()], pa.string())).to_numpy()
            found_B[alike[is_same]] = row_B[is_same]
        return found_B


def _hashes(ids: Sequence[str]) -> np.ndarray:
    return np.fromiter(map(hash, ids), np.int64, len(ids))


def feature_store_video_ids(path: Path | str) -> set[str]:
    """Return the ids of the videos of an embeddings folder. Raises CvrError: it is none."""
    found: set[str] = set()
    for part in open_artifact(path, STAGE).part_paths:
        table = read_parquet(part, ["item_id", "kind"])
        found.update(table.filter(pc.equal(table.column("kind"), "video")).column("item_id").to_pylist())
    return found

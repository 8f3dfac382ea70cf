"""Rows that lie on disk and are read where they lie: any of them, by number, without the others in memory.

The system keeps what was read while there is room, for all processes of a machine together. The rows are those of
`StageRun.rested(flow, is_mapped=True)`; a number each is what they are sorted by, whatever files they lie in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.parts import Bucket, read_artifact_bucket
from cvr_data.core.runner import Flow
from cvr_data.core.stage_jobs import PIECE
from cvr_data.core.stages import ClaimStep, Side

NUMBER, VECTOR = "number", "vector"
"""Columns."""
_ALL = 2**62
"""Claims of one bucket: all are sorted together."""


@dataclass(frozen=True)
class MappedRows:
    """The rows of all files, by their numbers."""

    tables: tuple[pa.Table, ...]
    starts: np.ndarray
    """Where the rows of each table begin among all of them, one more than tables."""
    places: np.ndarray
    """Number of a row -> its place among all of them."""

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.places)

    def take(self, numbers: np.ndarray, columns: Sequence[str]) -> pa.Table:
        """Return these columns of the rows of these numbers, in their order."""
        parts, order = [self.tables[0].select(columns).slice(0, 0)], []
        for table, asked, rows in self._rows_found(numbers):
            parts.append(table.select(columns).take(pa.array(rows)))
            order.append(asked)
        found = pa.concat_tables(parts, promote_options="permissive").combine_chunks()
        return found.take(pa.array(np.argsort(np.concatenate([np.empty(0, np.int64), *order]), kind="stable")))

    def vectors(self, numbers: np.ndarray) -> np.ndarray:
        """Return (N, D) float32 of the rows of these numbers."""
        found_ND = None
        for table, asked, rows in self._rows_found(numbers):
            part_ND = mapped_rows_array(table.column(VECTOR))
            found_ND = np.empty((len(numbers), part_ND.shape[1]), np.float32) if found_ND is None else found_ND
            found_ND[asked] = part_ND[rows]
        return np.empty((0, 1), np.float32) if found_ND is None else found_ND

    def _rows_found(self, numbers: np.ndarray) -> list[tuple[pa.Table, np.ndarray, np.ndarray]]:
        """Return (table, which of the numbers lie in it, rows of it) of each table that has some."""
        places = self.places[numbers]
        order = np.argsort(places, kind="stable")
        cuts = np.searchsorted(places[order], self.starts)
        found = []
        for number, (first, last) in enumerate(pairwise(cuts.tolist())):
            asked = order[first:last]
            if len(asked):
                found.append((self.tables[number], asked, places[asked] - self.starts[number]))
        return found


def mapped(flow: Flow, column: str) -> tuple[Side, int]:
    """Run what waits, none of it counted; return a side of the rows, numbered in the order of a column, and how many.

    One job sorts the column's values, which have to differ: those of ten million captions take it 1.2 GiB.
    """
    rows = flow.run.rested(flow, is_mapped=True)
    step = ClaimStep(
        name="number", config=column, claims=_rank_claims, settle=_ranked_claims, run=_row_numbers,
        bucket_values=_ALL, makes_rows=True, is_counted=False,
    )  # fmt: skip
    numbers = flow.run.rested(rows.then(step))
    return Side(load_mapped, tuple(all_of(each) for each in (rows, numbers))), rows.values


def load_mapped(rows: Bucket, numbers: Bucket) -> MappedRows:
    """Return the rows that lie there, which have these numbers."""
    tables = tuple(read_artifact_bucket(rows))
    number = np.concatenate([each.column(NUMBER).to_numpy() for each in read_artifact_bucket(numbers)])
    places = np.empty(len(number), np.int64)
    places[number] = np.arange(len(number))
    return MappedRows(tables, np.append(0, np.cumsum([table.num_rows for table in tables])), places)


def mapped_rows_column(rows_ND: np.ndarray) -> pa.Array:
    """Return rows as a column."""
    flat = pa.array(np.ascontiguousarray(rows_ND).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, max(rows_ND.shape[1], 1))


def mapped_rows_array(column: pa.ChunkedArray) -> np.ndarray:
    """Return the (N, D) rows of a column, which are not copied where they are of one file."""
    return column.combine_chunks().flatten().to_numpy().reshape(len(column), column.type.list_size)


def all_of(flow: Flow) -> Bucket:
    """Return where all rows of a flow lie that rests."""
    [first] = flow.parts[0].rows
    assert isinstance(first, Bucket)
    return Bucket(first.folder, range(len(flow.parts)))


def _rank_claims(column: str, rows: pa.Table) -> pa.Table:
    numbers = np.arange(rows.num_rows, dtype=np.uint32)
    return pa.table({"key": np.zeros(rows.num_rows, np.uint64), "row": numbers, "value": rows.column(column)})


def _ranked_claims(column: str, claims: pa.Table) -> pa.Table:
    order = pc.sort_indices(claims.column("value")).to_numpy()
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return claims.select(["row", PIECE]).append_column(NUMBER, pa.array(ranks))


def _row_numbers(column: str, rows: pa.Table, ranked: pa.Table) -> pa.Table:
    numbers = np.empty(rows.num_rows, np.int64)
    numbers[ranked.column("row").to_numpy()] = ranked.column(NUMBER).to_numpy()
    return pa.table({NUMBER: numbers})

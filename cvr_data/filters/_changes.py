"""What filters ask of the `changes` column and of the columns aligned with it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SIDES = ("before", "after")


def filter_change_fields(table: pa.Table, column: str, names: Sequence[str]) -> tuple[np.ndarray, list[pa.Array]]:
    """Return the row of each change, and the named fields of a column that has a list of structs per row."""
    lists = table.column(column)
    lists = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    structs = pc.list_flatten(lists)
    rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    return rows, [pc.struct_field(structs, name) for name in names]


def filter_rows_where(table: pa.Table, rows: np.ndarray, is_hit: pa.Array) -> pa.Array:
    """Return a mask of the table's rows with a change that the mask of changes hits; null hits nothing."""
    found = np.zeros(table.num_rows, bool)
    found[rows[pc.fill_null(is_hit, False).to_numpy(zero_copy_only=False)]] = True
    return pa.array(found)


def filter_rows_where_all(table: pa.Table, rows: np.ndarray, is_hit: pa.Array) -> pa.Array:
    """Return a mask of the table's rows that have changes, all of which the mask of changes hits; null hits nothing."""
    hits = rows[pc.fill_null(is_hit, False).to_numpy(zero_copy_only=False)]
    counts, hit_counts = (np.bincount(of, minlength=table.num_rows) for of in (rows, hits))
    return pa.array((counts > 0) & (counts == hit_counts))


def filter_any_change(table: pa.Table, matches: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return a mask of the rows in which a word before or after a change matches."""
    rows, sides = filter_change_fields(table, "changes", SIDES)
    before, after = (pc.fill_null(matches(words), False) for words in sides)
    return filter_rows_where(table, rows, pc.or_(before, after))


def filter_changed_words(row: Mapping[str, Any]) -> str:
    """Return the changes of a row in words: `red -> blue, ball -> cube`."""
    return ", ".join(f"{change['before'] or '(none)'} -> {change['after'] or '(none)'}" for change in row["changes"])

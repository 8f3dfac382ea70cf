"""How column filters mark rows: the first reason stays."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def mark(table: pa.Table, is_dropped: pa.Array | pa.ChunkedArray, reason: str) -> pa.Table:
    """Return the table with `drop_reason` set where the mask is true and no reason stands yet; null masks keep."""
    before = (
        table.column("drop_reason") if "drop_reason" in table.column_names else pa.nulls(table.num_rows, pa.string())
    )
    is_new = pc.and_(pc.fill_null(is_dropped, False), pc.is_null(before))
    reasons = pc.if_else(is_new, pa.scalar(reason, pa.string()), before)
    if "drop_reason" not in table.column_names:
        return table.append_column("drop_reason", reasons)
    return table.set_column(table.column_names.index("drop_reason"), "drop_reason", reasons)


def of_distinct(texts: pa.Array | pa.ChunkedArray, function: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return what the function makes of each text, giving it every distinct one once; pairs repeat their captions."""
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    named = whole.dictionary_encode()
    return function(named.dictionary).take(named.indices)


def similarity_text(row: Mapping[str, Any]) -> str:
    """Return the visual similarity of a row as words after a comma; nothing where it is not known."""
    value = row.get("visual_similarity")
    return "" if value is None else f", this one having visual similarity {value:.3f}"

"""The columns of a table, checked at every border."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.errors import CvrError, did_you_mean, first_few, first_line


def check_columns(table: pa.Table, schema: pa.Schema, where: str) -> pa.Table:
    """Return the table with the columns of `schema` first, cast; absent optional ones are null, others follow.

    Structs keep the fields that they have beyond those of `schema`, as tables keep columns.

    Raises:
        CvrError: a required column is absent or has nulls, or a column cannot be cast.
    """
    columns = [_checked_column(table, field, where) for field in schema]
    others = [name for name in table.column_names if name not in schema.names]
    fields = [field.with_type(column.type) for field, column in zip(schema, columns, strict=True)]
    return pa.table(
        columns + [table.column(name) for name in others],
        schema=pa.schema([*fields, *(table.schema.field(name) for name in others)]),
    )


def _checked_column(table: pa.Table, field: pa.Field, where: str) -> pa.ChunkedArray:
    if field.name not in table.column_names:
        if not field.nullable:
            hint = did_you_mean(field.name, table.column_names)
            raise CvrError(f"{where}: column {field.name!r} is missing. {hint}")
        return pa.chunked_array([pa.nulls(table.num_rows, field.type)])
    column = table.column(field.name)
    if column.type != field.type:
        try:
            column = column.cast(_with_more_fields(field.type, column.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            detail = first_line(error)
            raise CvrError(
                f"{where}: column {field.name!r} should be {field.type}, got {column.type} ({detail})."
            ) from None
    if not field.nullable and column.null_count:
        rows = [row for row, value in enumerate(column.is_null().to_pylist()) if value]
        raise CvrError(f"{where}: column {field.name!r} has no value in rows {first_few(rows)}.")
    return column


def _with_more_fields(wanted: pa.DataType, found: pa.DataType) -> pa.DataType:
    """The wanted type with the fields that structs have beyond it."""
    if pa.types.is_list(wanted) and pa.types.is_list(found):
        return pa.list_(_with_more_fields(wanted.value_type, found.value_type))
    if pa.types.is_struct(wanted) and pa.types.is_struct(found):
        known = {field.name for field in wanted}
        return pa.struct([*wanted, *(field for field in found if field.name not in known)])
    return wanted


def mark(table: pa.Table, is_dropped: pa.Array | pa.ChunkedArray, reason: str) -> pa.Table:
    """Return the table with `drop_reason` set where the mask is true and no reason stands yet; null masks keep."""
    before = (
        table.column("drop_reason") if "drop_reason" in table.column_names else pa.nulls(table.num_rows, pa.string())
    )
    is_new = pc.and_(pc.fill_null(is_dropped, False), pc.is_null(before))
    reasons = pc.if_else(is_new, pa.scalar(reason, pa.string()), before)
    return with_column(table, "drop_reason", reasons)


def set_drop_reason_column(table: pa.Table, rows: np.ndarray, reason: str) -> pa.Table:
    """Return the table with `drop_reason` set in these rows where no reason stands yet."""
    is_dropped = np.zeros(table.num_rows, bool)
    is_dropped[rows] = True
    return mark(table, pa.array(is_dropped), reason)


def with_column(table: pa.Table, field: str | pa.Field, values: pa.Array | pa.ChunkedArray | Sequence[Any]) -> pa.Table:
    """Return the table with the column in the place of the one of that name, or last where there is none.

    Plain values become what the field says, so they need a field and not just a name.
    """
    name, kind = (field, None) if isinstance(field, str) else (field.name, field.type)
    if not isinstance(values, (pa.Array, pa.ChunkedArray)):
        values = pa.array(values, kind)
    if name not in table.column_names:
        return table.append_column(field, values)
    return table.set_column(table.column_names.index(name), field, values)


def whole_column(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the values as one array."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole

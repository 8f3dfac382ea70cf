"""Reads tables: CSV, TSV, JSON lines and Parquet, with errors in one line.

A table is read in one of two ways. `read_table` and `read_columns` take it whole and refuse it for a row that cannot be
read. `read_rows` streams it and keeps such a row, with the reason: text stays bytes until a row is built, so that one
caption in another encoding costs one row and not the file. What is odd about a kind of table is dealt with here alone.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc

from cvr_data.core.errors import CvrError, did_you_mean, first_few, first_line
from cvr_data.core.places import open_parquet, opened
from cvr_data.core.reading import reading
from cvr_data.core.whole_files import read_parquet

SLICE = 4096
DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
SUFFIXES = (*DELIMITERS, *JSON_LINES, ".parquet")


@dataclass
class Row:
    """The wanted values of one row, by column; `drop_reason` says why it cannot be used."""

    number: int
    """1 is the first row of data."""
    values: dict[str, Any] = field(default_factory=dict)
    drop_reason: str | None = None
    detail: str | None = None


def check_file(path: Path, columns: Iterable[str]) -> None:
    """Look at the start of a table.

    Raises:
        CvrError: the file is missing, empty, of an unknown kind, or lacks a column.
    """
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        raise CvrError(f"{path}: unknown kind of table {path.suffix.lower()!r}. Choose from: {', '.join(SUFFIXES)}.")
    _check_names(path, column_names(path), sorted(columns))


def column_names(path: Path) -> list[str]:
    """Return the columns of a table; of JSON lines the keys of the first object. An unknown suffix is taken for CSV.

    Raises:
        CvrError: the file is missing or empty.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise CvrError(f"{path}: no such file.")
    if path.stat().st_size == 0:
        raise CvrError(f"{path} is empty.")
    if suffix in JSON_LINES:
        return _json_names(path)
    if suffix == ".parquet":
        with reading(path, "Parquet"), open_parquet(path) as table:
            return table.schema_arrow.names
    with reading(path, "a table"), path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return next(filter(None, csv.reader(file, delimiter=DELIMITERS.get(suffix, ","))), [])


def read_table(path: Path, columns: Iterable[str] | None = None, required: Iterable[str] = ()) -> pa.Table:
    """Return the table of a file, of CSV and TSV every value as text; `columns` it does not have are left out.

    Raises:
        CvrError: the file is missing, empty or no such table, lacks a required column, or a row cannot be read.
    """
    names = column_names(path)
    _check_names(path, names, required)
    wanted = [name for name in dict.fromkeys(names if columns is None else columns) if name in names]
    if path.suffix.lower() == ".parquet":
        return read_parquet(path, wanted)
    if path.suffix.lower() in JSON_LINES:
        rows = [row for batch in _json_batches(path, wanted) for row in batch]
        if bad := [place for place, row in enumerate(rows) if not isinstance(row, dict)]:
            raise CvrError(f"{path}: rows {first_few(bad)} (counted from 0): {rows[bad[0]]}.")
        return pa.Table.from_pylist(rows).select(wanted)
    broken: list[pc.InvalidRow] = []
    schema = pa.schema([(name, pa.binary()) for name in wanted])
    table = pa.Table.from_batches(_csv_batches(path, wanted, broken), schema)
    if broken:
        rows = [row.number - 2 for row in broken]  # it counts from 1, and the header too
        raise CvrError(f"{path}: rows {first_few(rows)} (counted from 0): {_width(broken[0])}.")
    return pa.table({name: _texts(table.column(name), name, path) for name in wanted})


def read_columns(path: Path, known: Iterable[str], required: Iterable[str]) -> dict[str, list[Any]]:
    """Return the known columns that the file has, in the order of `known`; others are ignored.

    Raises:
        CvrError: the file is missing, empty or no such table, lacks a required column, or a row cannot be read.
    """
    return read_table(path, known, required).to_pydict()


def read_rows(path: Path, columns: Iterable[str]) -> Iterator[list[Row]]:
    """Yield the rows of a table in slices of at most 4,096, with the wanted columns only.

    Raises:
        CvrError: the file is missing, empty, of an unknown kind, or lacks a column.
    """
    check_file(path, columns)
    number = 0
    for batch in _row_batches(path, sorted(columns)):
        for start in range(0, len(batch), SLICE):
            yield [
                _row(number + position, values)
                for position, values in enumerate(batch[start : start + SLICE], start + 1)
            ]
        number += len(batch)
    if number == 0:
        raise CvrError(f"{path} has a header and no row.")


def _check_names(path: Path, names: Sequence[str], columns: Iterable[str]) -> None:
    for column in columns:
        if column not in names:
            raise CvrError(f"{path}: column {column!r} is missing. {did_you_mean(column, names)}")


def _row_batches(path: Path, columns: Sequence[str]) -> Iterator[list[Any]]:
    """Rows as dicts of bytes; a text in the place of a row says what is wrong with it."""
    suffix = path.suffix.lower()
    if suffix in JSON_LINES:
        yield from _json_batches(path, columns)
    elif suffix == ".parquet":
        yield from _parquet_batches(path, columns)
    else:
        broken: list[pc.InvalidRow] = []
        for batch in _csv_batches(path, columns, broken):
            yield batch.to_pylist()
        yield [_width(row) for row in broken]


def _csv_batches(path: Path, columns: Sequence[str], broken: list[pc.InvalidRow]) -> Iterator[pa.RecordBatch]:
    """Batches of bytes; rows that are longer or shorter than the header are put into `broken` instead."""

    def remember(row: pc.InvalidRow) -> str:
        broken.append(row)
        return "skip"

    delimiter = DELIMITERS.get(path.suffix.lower(), ",")
    try:
        with opened(path) as file:
            yield from pc.open_csv(
                file,
                read_options=pc.ReadOptions(use_threads=False),  # only then does a broken row know its number
                parse_options=pc.ParseOptions(
                    delimiter=delimiter, newlines_in_values=True, invalid_row_handler=remember
                ),
                convert_options=pc.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.binary()), include_columns=columns,
                    strings_can_be_null=False, check_utf8=False,
                ),
            )  # fmt: skip
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise CvrError(f"{path}: cannot be read as CSV ({first_line(error)}).") from None


def _width(row: pc.InvalidRow) -> str:
    return f"{row.actual_columns} values where the header has {row.expected_columns}"


def _texts(column: pa.ChunkedArray, name: str, path: Path) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        bad = next(
            row for row, value in enumerate(column.to_pylist()) if value.decode("utf-8", "replace").encode() != value
        )
        raise CvrError(f"{path}: row {bad} (counted from 0), column {name!r}: not UTF-8.") from None


def _json_names(path: Path) -> list[str]:
    """Return the keys of the first line that holds an object."""
    with path.open("rb") as file:
        for line in file:
            values = _json_values(line)
            if isinstance(values, dict):
                return list(values)
    raise CvrError(f"{path}: no line is a JSON object.")


def _json_batches(path: Path, columns: Sequence[str]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    with path.open("rb") as file:
        for line in file:
            if not line.strip():
                continue
            values = _json_values(line)
            batch.append({name: values.get(name) for name in columns} if isinstance(values, dict) else values)
            if len(batch) == SLICE:
                yield batch
                batch = []
    yield batch


def _json_values(line: bytes) -> dict[str, Any] | str | UnicodeDecodeError:
    try:
        values = json.loads(line)
    except UnicodeDecodeError as error:
        return error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, lists in lists
        return f"not valid JSON: {first_line(error)}"
    return values if isinstance(values, dict) else "not a JSON object"


def _parquet_batches(path: Path, columns: Sequence[str]) -> Iterator[list[Any]]:
    with ExitStack() as held:
        with reading(path, "Parquet"):
            batches = held.enter_context(open_parquet(path)).iter_batches(SLICE, columns=columns)
        while True:
            with reading(path, "Parquet"):
                if (batch := next(batches, None)) is None:
                    return
                table = pa.Table.from_batches([batch.select(columns)])
                rows = table.cast(_as_bytes(table.schema)).to_pylist()
            yield rows


def _as_bytes(schema: pa.Schema) -> pa.Schema:
    def kind(given: pa.DataType) -> pa.DataType:
        if pa.types.is_string(given) or pa.types.is_large_string(given):
            return pa.binary()
        return pa.list_(kind(given.value_type)) if pa.types.is_list(given) else given

    return pa.schema([(entry.name, kind(entry.type)) for entry in schema])


def _row(number: int, values: Any) -> Row:
    if isinstance(values, UnicodeDecodeError):
        return Row(number, drop_reason="not_utf8", detail=f"row {number}: not UTF-8")
    if isinstance(values, str):
        return Row(number, drop_reason="bad_row", detail=f"row {number}: {values}")
    row = Row(number)
    for name, value in values.items():
        try:
            row.values[name] = _text(value)
        except UnicodeDecodeError:
            row.drop_reason, row.detail = "not_utf8", f"row {number}: column {name!r} is not UTF-8"
            row.values[name] = _readable(value)
    return row


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8").strip() or None
    if isinstance(value, list):
        return [_text(item) for item in value]
    return value.strip() or None if isinstance(value, str) else value


def _readable(value: Any) -> Any:
    if isinstance(value, list):
        return [_readable(item) for item in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

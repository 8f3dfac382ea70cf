"""Reads the rows of a CSV, TSV, JSONL or Parquet file in slices, keeping those it cannot read, with the reason.

Text stays bytes until a row is built, so that one caption in another encoding costs one row and not the file.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from cvr_data.errors import CvrError, did_you_mean

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


def check_file(path: Path, columns: set[str]) -> None:
    """Look at the start of a file.

    Raises:
        CvrError: the file is missing, empty, of an unknown kind, or lacks a column.
    """
    _check_names(path, column_names(path), columns)


def column_names(path: Path) -> list[str]:
    """Return the columns of a file; of JSON lines the keys of the first object.

    Raises:
        CvrError: the file is missing, empty or of an unknown kind.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise CvrError(f"{path}: no such file.")
    if suffix not in SUFFIXES:
        raise CvrError(f"{path}: unknown kind of table {suffix!r}. Choose from: {', '.join(SUFFIXES)}.")
    if path.stat().st_size == 0:
        raise CvrError(f"{path} is empty.")
    return _names(path, suffix)


def read_rows(path: Path, columns: set[str]) -> Iterator[list[Row]]:
    """Yield the rows of a file in slices of at most 4,096, with the wanted columns only.

    Raises:
        CvrError: the file is missing, empty, of an unknown kind, or lacks a column.
    """
    check_file(path, columns)
    number = 0
    for batch in _batches(path, path.suffix.lower(), columns):
        for start in range(0, len(batch), SLICE):
            yield [
                _row(number + position, values)
                for position, values in enumerate(batch[start : start + SLICE], start + 1)
            ]
        number += len(batch)
    if number == 0:
        raise CvrError(f"{path} has a header and no row.")


def _batches(path: Path, suffix: str, columns: set[str]) -> Iterator[list[Any]]:
    if suffix in DELIMITERS:
        return _csv_batches(path, DELIMITERS[suffix], columns)
    return _json_batches(path, columns) if suffix in JSON_LINES else _parquet_batches(path, columns)


def _names(path: Path, suffix: str) -> list[str]:
    if suffix in DELIMITERS:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return next(csv.reader(file, delimiter=DELIMITERS[suffix]), [])
    if suffix in JSON_LINES:
        return _json_names(path)
    return _open_parquet(path).schema_arrow.names


def _csv_batches(path: Path, delimiter: str, columns: set[str]) -> Iterator[list[Any]]:
    broken: list[pc.InvalidRow] = []

    def remember(row: pc.InvalidRow) -> str:
        broken.append(row)
        return "skip"

    kinds = {name: pa.binary() for name in columns}
    reader = pc.open_csv(
        path,
        parse_options=pc.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=remember),
        convert_options=pc.ConvertOptions(
            column_types=kinds, include_columns=sorted(columns), strings_can_be_null=False, check_utf8=False
        ),
    )
    try:
        for batch in reader:
            yield batch.to_pylist()
    except pa.ArrowInvalid as error:
        raise CvrError(f"{path}: cannot be read as CSV ({str(error).splitlines()[0]}).") from None
    if broken:
        expected = broken[0].expected_columns
        yield [f"{row.actual_columns} values where the header has {expected}" for row in broken]


def _json_names(path: Path) -> list[str]:
    """Return the keys of the first line that holds an object."""
    with path.open("rb") as file:
        for line in file:
            values = _json_values(line)
            if isinstance(values, dict):
                return list(values)
    raise CvrError(f"{path}: no line is a JSON object.")


def _json_batches(path: Path, columns: set[str]) -> Iterator[list[Any]]:
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
    except json.JSONDecodeError as error:
        return f"not valid JSON: {error}"
    except UnicodeDecodeError as error:
        return error
    return values if isinstance(values, dict) else "not a JSON object"


def _parquet_batches(path: Path, columns: set[str]) -> Iterator[list[Any]]:
    for batch in _open_parquet(path).iter_batches(SLICE, columns=sorted(columns)):
        yield pa.Table.from_batches([batch]).cast(_as_bytes(batch.schema)).to_pylist()


def _open_parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise CvrError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]}).") from None


def _as_bytes(schema: pa.Schema) -> pa.Schema:
    def kind(given: pa.DataType) -> pa.DataType:
        if pa.types.is_string(given) or pa.types.is_large_string(given):
            return pa.binary()
        return pa.list_(kind(given.value_type)) if pa.types.is_list(given) else given

    return pa.schema([(entry.name, kind(entry.type)) for entry in schema])


def _check_names(path: Path, names: list[str], columns: set[str]) -> None:
    for column in sorted(columns):
        if column not in names:
            raise CvrError(f"{path}: column {column!r} is missing. {did_you_mean(column, names)}")


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

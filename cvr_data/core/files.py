"""Reads tables: CSV, TSV, JSON lines and Parquet, with errors in one line.

A table is read in one of two ways. `read_table` and `read_columns` take it whole and refuse it for a row that cannot be
read. `read_rows` streams it and keeps such a row in its place, with the reason: text stays bytes until a row is built,
so that one caption in another encoding costs one row and not the file. What is odd about a kind of table is dealt with
here and in `core.delimited` alone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.delimited import (
    check_delimited_file_start,
    delimited_file_rows,
    delimited_header,
    lines_of,
    other_separator,
    plain_columns,
)
from cvr_data.core.errors import CvrError, did_you_mean, first_few, first_line
from cvr_data.core.json_lines import json_lines_keys, parse_json_line
from cvr_data.core.places import open_parquet
from cvr_data.core.reading import reading
from cvr_data.core.whole_files import read_parquet

SLICE = 4096
DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
SUFFIXES = (*DELIMITERS, *JSON_LINES, ".parquet")
EXACT = 2**53
"""Floats are whole numbers without gaps up to here."""


@dataclass
class Row:
    """The wanted values of one row, by column; `drop_reason` says why it cannot be used."""

    where: str
    """`line 3` of a file of text, the header's counted, or `row 2` of Parquet: both begin with 1."""
    values: dict[str, Any] = field(default_factory=dict)
    drop_reason: str | None = None
    detail: str | None = None


def id_text(value: Any) -> str | None:
    """Return an id as text, "" where there is none; None of what is no id: NaN, true, a fraction, a list, an object.

    A whole number in a column of floats, as pandas makes one of integers with a gap, is that number: 101.0 is 101.
    """
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT:
        return str(int(value))
    is_id = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
    return str(value) if is_id else None


def check_file(path: Path, columns: Iterable[str]) -> None:
    """Look at the start of a table.

    Raises:
        CvrError: the file is missing, empty, of an unknown kind, or lacks a column.
    """
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        raise CvrError(f"{path}: unknown kind of table {path.suffix.lower()!r}. Choose from: {', '.join(SUFFIXES)}.")
    _check_names(path, column_names(path), sorted(columns))


def column_names(path: Path) -> list[str]:
    """Return the columns of a table; of JSON lines the keys of its first objects. An unknown suffix is taken for CSV.

    Raises:
        CvrError: the file is missing, empty, or not what its suffix says.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise CvrError(f"{path}: no such file.")
    if suffix == ".parquet":
        with reading(path, "Parquet"), open_parquet(path) as table:
            return table.schema_arrow.names
    check_delimited_file_start(path)
    return json_lines_keys(path) if suffix in JSON_LINES else delimited_header(path, _table_separator(path))


def read_table(path: Path, columns: Iterable[str] | None = None, required: Iterable[str] = ()) -> pa.Table:
    """Return the table of a file, of CSV and TSV every value as text; `columns` it does not have are left out.

    Raises:
        CvrError: the file is missing, empty or no such table, lacks a required column, or a row cannot be read.
    """
    names = column_names(path)
    _check_names(path, names, required)
    wanted = [name for name in dict.fromkeys(filter(None, names) if columns is None else columns) if name in names]
    _refuse_repeated(path, names, wanted)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return read_parquet(path, wanted)
    if suffix not in JSON_LINES:
        return _csv_table(path, names, wanted)
    rows = list(_json_rows(path, None if columns is None else wanted))
    _refuse_broken(path, [row.detail for row in rows if row.detail])
    if columns is None:
        wanted = list(dict.fromkeys(name for row in rows for name in row.values))
    found = {name: [row.values.get(name) for row in rows] for name in wanted}
    return pa.table({name: _table_array(path, name, values) for name, values in found.items()})


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
    suffix = path.suffix.lower()
    readers = {".parquet": _parquet_rows, **dict.fromkeys(JSON_LINES, _json_rows)}
    rows = readers.get(suffix, _csv_rows)(path, sorted(columns))
    is_empty = True
    while batch := list(islice(rows, SLICE)):
        is_empty = False
        yield batch
    if is_empty:
        raise CvrError(f"{path} has a header and no row.")


def _check_names(path: Path, names: Sequence[str], columns: Iterable[str]) -> None:
    columns = list(columns)
    for column in columns:
        if column not in names:
            raise CvrError(f"{path}: column {column!r} is missing{_missing_column_hint(path, names, column, columns)}")
    _refuse_repeated(path, names, columns)


def _missing_column_hint(path: Path, names: Sequence[str], column: str, wanted: Sequence[str]) -> str:
    """What the header has in the place of a column, and what can be done about it."""
    plain = {"".join(filter(str.isprintable, name)).strip().lower(): name for name in names}
    if found := plain.get(column.lower()):
        space = "before" if found.endswith(column) else "after"
        is_space = found.strip() == column
        told = f"a space {space} {column}" if is_space else f"{found!a}"
        return f": the header has {told}; write it as it is read, or name the column as it stands there."
    if len(names) == 1 and (words := other_separator(names[0], column)):
        kind = "a .tsv by tabs" if path.suffix.lower() == ".tsv" else "a .csv by ','"
        rename = " (or name it .tsv)" if words == "tabs" else ""
        return f": the file is separated by {words}, and {kind}; write it so{rename}."
    hint = did_you_mean(column, names)
    is_text = path.suffix.lower() not in (*JSON_LINES, ".parquet")
    if is_text and not set(wanted) & set(names) and not hint.startswith("Did you mean"):
        return f": is there a header? The first line should name the columns, and is {first_few(names, 5)!r}."
    return f". {hint}"


def _refuse_repeated(path: Path, names: Sequence[str], columns: Iterable[str]) -> None:
    """Refuse a column whose name several have: nothing says which is meant."""
    count = Counter(names)
    if twice := [name for name in columns if count[name] > 1]:
        raise CvrError(f"{path}: {count[twice[0]]} columns are named {twice[0]!r}; name each otherwise.")


def _refuse_broken(path: Path, details: Sequence[str]) -> None:
    if details:
        more = f" and {len(details) - 1} more" if len(details) > 1 else ""
        raise CvrError(f"{path}: {details[0]}{more}.")


def _csv_table(path: Path, names: Sequence[str], wanted: Sequence[str]) -> pa.Table:
    plain = plain_columns(path, _table_separator(path), [names.index(name) for name in wanted], len(names))
    if plain is not None:
        return pa.table(dict(zip(wanted, plain, strict=True)))
    cells: list[tuple[int, list[bytes]]] = [(names.index(name), []) for name in wanted]
    lines, broken = [], []
    for record in delimited_file_rows(path, _table_separator(path)):
        if record.problem:
            broken.append(f"line {record.line}: {record.problem[1]}")
            continue
        lines.append(record.line)
        for place, column in cells:
            column.append(record.cells[place])
    _refuse_broken(path, broken)
    columns = (_table_texts(path, name, column, lines) for name, (_, column) in zip(wanted, cells, strict=True))
    return pa.table(dict(zip(wanted, columns, strict=True)))


def _table_texts(path: Path, name: str, cells: list[bytes], lines: Sequence[int]) -> pa.ChunkedArray:
    try:
        return pa.chunked_array([pa.array(cells, pa.binary())], pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        bad = next(row for row, cell in enumerate(cells) if cell.decode("utf-8", "replace").encode() != cell)
        raise CvrError(f"{path}: line {lines[bad]}, column {name!r}: not UTF-8.") from None


def _table_separator(path: Path) -> str:
    return DELIMITERS.get(path.suffix.lower(), ",")


def _csv_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    names = delimited_header(path, _table_separator(path))
    places = [(name, names.index(name)) for name in columns]
    for record in delimited_file_rows(path, _table_separator(path)):
        row = Row(f"line {record.line}")
        if record.problem:
            row.drop_reason, problem = record.problem
            row.detail = f"{row.where}: {problem}"
        else:
            cells = record.cells
            _take_row_values(row, [(name, cells[place]) for name, place in places])
        yield row


def _json_rows(path: Path, columns: Sequence[str] | None) -> Iterator[Row]:
    for number, line in enumerate(lines_of(path), 1):
        if not line.strip():
            continue
        row = Row(f"line {number}")
        values = parse_json_line(line)
        if isinstance(values, dict):
            row.values = values if columns is None else {name: _cell_text(values.get(name)) for name in columns}
        else:
            row.drop_reason, problem = values
            row.detail = f"{row.where}: {problem}"
        yield row


def _parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    number = 0
    for rows in _parquet_batches(path, list(columns)):
        for values in rows:
            number += 1
            row = Row(f"row {number}")
            _take_row_values(row, list(values.items()))
            yield row


def _parquet_batches(path: Path, columns: list[str]) -> Iterator[list[dict[str, Any]]]:
    with ExitStack() as held:
        with reading(path, "Parquet"):
            batches = held.enter_context(open_parquet(path)).iter_batches(SLICE, columns=columns)
        while True:
            with reading(path, "Parquet"):
                if (batch := next(batches, None)) is None:
                    return
                table = pa.Table.from_batches([batch.select(columns)])
                rows = table.cast(_schema_of_bytes(table.schema)).to_pylist()
            yield rows


def _schema_of_bytes(schema: pa.Schema) -> pa.Schema:
    def kind(given: pa.DataType) -> pa.DataType:
        if pa.types.is_dictionary(given):
            return kind(given.value_type)
        if pa.types.is_string(given) or pa.types.is_large_string(given) or pa.types.is_string_view(given):
            return pa.large_binary()
        is_list = pa.types.is_list(given) or pa.types.is_large_list(given) or pa.types.is_fixed_size_list(given)
        return pa.large_list(kind(given.value_type)) if is_list else given

    return pa.schema([(entry.name, kind(entry.type)) for entry in schema])


def _take_row_values(row: Row, values: Sequence[tuple[str, Any]]) -> None:
    """Put values into their row, texts as texts; where one is not UTF-8, the row says so."""
    try:
        row.values = {name: _cell_text(value) for name, value in values}
    except UnicodeDecodeError:
        row.values = {name: _cell_text(value, "replace") for name, value in values}
        bad = next(name for name, value in values if row.values[name] != _cell_text(value, "ignore"))
        row.drop_reason, row.detail = "not_utf8", f"{row.where}, column {bad!r}: not UTF-8; save the file as that"


def _cell_text(value: Any, errors: str = "strict") -> Any:
    """Return a text, or the texts of a list, without white space around it; None for an empty one."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors).strip() or None
    if isinstance(value, list):
        return [_cell_text(item, errors) for item in value]
    return value.strip() or None if isinstance(value, str) else value


def _table_array(path: Path, name: str, values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError) as error:
        raise CvrError(f"{path}: the values of {name!r} are not of one kind ({first_line(error)}).") from None

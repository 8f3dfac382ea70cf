"""CSV text as published files have it: every cell a string, columns found by name, errors in one line."""

import ast
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from cvr_data.errors import CvrError, did_you_mean

MARKS = ',"\r\n'


def to_csv(header: Sequence[str], lines: Iterable[Sequence[str]]) -> bytes:
    """Return a CSV file, quoted as RFC 4180 says; the csv module of Python 3.11 leaves a lone carriage return bare."""
    return "".join(",".join(map(_quoted, line)) + "\n" for line in (header, *lines)).encode()


def read_csv(path: Path, known: Iterable[str], required: Iterable[str]) -> dict[str, list[str]]:
    """Return the known columns that the file has, as text, in the order of `known`; others are ignored.

    Raises:
        CvrError: the file is absent, empty or no CSV, or lacks a required column.
    """
    if not path.is_file():
        raise CvrError(f"{path} does not exist.")
    names = list(known)
    options = pa_csv.ConvertOptions(
        include_columns=names, include_missing_columns=True, column_types=dict.fromkeys(names, pa.string())
    )
    parse = pa_csv.ParseOptions(newlines_in_values=True)
    try:
        header = pa_csv.open_csv(path, parse_options=parse, convert_options=pa_csv.ConvertOptions()).schema.names
        table = pa_csv.read_csv(path, parse_options=parse, convert_options=options)
    except pa.ArrowInvalid as error:
        raise CvrError(f"{path} cannot be read as CSV: {str(error).splitlines()[0]}") from None
    for name in required:
        if name not in header:
            raise CvrError(f"{path}: column {name!r} is missing. {did_you_mean(name, header)}")
    return {name: table.column(name).to_pylist() for name in names if name in header}


def parsed(texts: Sequence[str], parse: Callable[[str], Any], *, name: str, path: Path) -> list[Any]:
    """Return the cells of a column as values, None where a cell is empty.

    Raises:
        CvrError: `parse` refuses a cell with ValueError, SyntaxError or TypeError.
    """
    values = []
    for row, text in enumerate(texts):
        try:
            values.append(parse(text) if text else None)
        except (ValueError, SyntaxError, TypeError):
            raise CvrError(f"{path}: row {row} (counted from 0), column {name!r}: cannot read {text!r}.") from None
    return values


def literal(text: str) -> Any:
    """Return the value of a cell that holds a list or dict, written as JSON or as Python prints it."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return ast.literal_eval(text)


def texts_of(text: str) -> list[str]:
    """Return the texts of a cell that holds a list of them.

    Raises:
        ValueError: it holds something else.
    """
    values = literal(text)
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise ValueError("not a list of texts")
    return list(values)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in MARKS) else cell

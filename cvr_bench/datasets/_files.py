"""Published annotation files as they are: where they lie, how they are read, and whether they are whole."""

import ast
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from cvr_data.errors import CvrError, did_you_mean, first_few

Counts = Literal["published", "any"]
"""published: files whose counts are not those of the paper are refused; any: what is there is taken."""


def find(annotations: Path, *names: str, origin: str) -> Path:
    """Return the first of the files `names` in the folder, whether it lies in its published subfolder or not.

    Raises:
        CvrError: there is none; where it comes from is named.
    """
    for name in names:
        for path in (annotations / name, annotations / Path(name).name):
            if path.is_file():
                return path
    raise CvrError(f"{' or '.join(names)} is not in {annotations}; get it from {origin}.")


def find_only(annotations: Path, *names: str, origin: str) -> Path:
    """Return the one file of a benchmark: `annotations` itself, whatever its name, or what `find` finds in it.

    Raises:
        CvrError: there is none; where it comes from is named.
    """
    return annotations if annotations.is_file() else find(annotations, *names, origin=origin)


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        CvrError: it is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CvrError(f"{path} cannot be read as JSON: {error}") from None


def read_entries(path: Path, required: Sequence[str]) -> list[dict[str, Any]]:
    """Return the objects of a JSON list, each of which has the required keys.

    Raises:
        CvrError: it is another JSON, or a key is missing; the first such entry is named.
    """
    entries = read_json(path)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CvrError(f"{path} should hold a JSON list of objects.")
    for number, entry in enumerate(entries):
        for key in required:
            if key not in entry:
                raise CvrError(f"{path}: entry {number} has no {key!r}. {did_you_mean(key, entry)}")
    return entries


def read_csv(path: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header that has the required columns.

    Raises:
        CvrError: a column is missing, or a row is shorter than the header.
    """
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        header = reader.fieldnames or []
        for column in required:
            if column not in header:
                raise CvrError(f"{path}: column {column!r} is missing. {did_you_mean(column, header)}")
        rows = list(reader)
    short = [number for number, row in enumerate(rows) if any(row[column] is None for column in required)]
    if short:
        raise CvrError(f"{path}: rows {first_few(short)} (counted from 0) are shorter than the header.")
    return rows


def read_tab_separated(path: Path, at_least: int) -> list[list[str]]:
    """Return the cells of each line of a file without header or quoting; quotes are part of the text.

    Raises:
        CvrError: a line has fewer cells.
    """
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line.strip("\r")]
    short = [number for number, cells in enumerate(rows) if len(cells) < at_least]
    if short:
        raise CvrError(f"{path}: rows {first_few(short)} (counted from 0) have fewer than {at_least} cells.")
    return [[cell.rstrip("\r") for cell in cells] for cells in rows]


def read_lines(path: Path) -> list[str]:
    """Return the lines that are not blank, without white space around them."""
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def parse_list(text: str, where: str) -> list[str]:
    """Return the strings of a Python list written as text.

    Raises:
        CvrError: it is no list.
    """
    try:
        values = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        values = None
    if not isinstance(values, list):
        raise CvrError(f"{where}: {text!r} should be a list.")
    return [str(value) for value in values]


def check_counts(where: Path, policy: Counts, found: Mapping[str, int], published: Mapping[str, int]) -> None:
    """Refuse files that are not whole; what has no published count is not checked.

    Raises:
        CvrError: a count differs and the policy is `published`.
    """
    wrong = [f"{found[what]} {what}, not {count}" for what, count in published.items() if found[what] != count]
    if wrong and policy == "published":
        raise CvrError(f"{where} has {'; '.join(wrong)} as published; counts=any takes what is there.")

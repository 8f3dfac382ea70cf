"""Annotation files as they are published: where they lie, JSON, lists of lines, and whether they are whole."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from cvr_data.core.errors import CvrError, did_you_mean, first_few
from cvr_data.core.reading import read_text, reading

MAX_JSON_BYTES = 2_000_000_000
"""No published caption file is larger; what claims to be is no caption file."""
Counts = Literal["published", "any"]
"""published: files whose counts are not those of the paper are refused; any: what is there is taken."""


def find_annotation_file(annotations: Path, *names: str, origin: str) -> Path:
    """Return the first of the files `names` in the folder, whether it lies in its published subfolder or not.

    Raises:
        CvrError: there is none; where it comes from is named.
    """
    for name in names:
        for path in (annotations / name, annotations / Path(name).name):
            if path.is_file():
                return path
    raise CvrError(f"{' or '.join(names[:3])} is not in {annotations}; get it from {origin}.")


def find_only_annotation_file(annotations: Path, *names: str, origin: str) -> Path:
    """Return the one file of a benchmark: `annotations` itself, or what `find_annotation_file` finds in it.

    Raises:
        CvrError: there is none; where it comes from is named.
    """
    return annotations if annotations.is_file() else find_annotation_file(annotations, *names, origin=origin)


def check_counts(where: Path, policy: Counts, found: Mapping[str, int], published: Mapping[str, int]) -> None:
    """Refuse files that are not whole; what has no published count is not checked.

    Raises:
        CvrError: a count differs and the policy is `published`.
    """
    wrong = [f"{found[what]} {what}, not {count}" for what, count in published.items() if found[what] != count]
    if wrong and policy == "published":
        raise CvrError(f"{where} has {'; '.join(wrong)} as published; counts=any takes what is there.")


def read_json(path: Path, kind: type = object) -> Any:
    """Return the value of a JSON file, or of the one JSON file in a zip: a `kind`, such as list or dict.

    Raises:
        CvrError: the file is missing, empty or no JSON, or holds something else.
    """
    with reading(path, "JSON"):
        content = _zipped(path) if path.suffix.lower() == ".zip" else path.read_bytes()
        try:
            value = json.loads(content)
        except json.JSONDecodeError as error:
            raise CvrError(f"{path}: {f'not valid JSON ({error})' if content.strip() else 'is empty'}.") from None
    if not isinstance(value, kind):
        raise CvrError(f"{path} should hold a JSON {kind.__name__}, found {type(value).__name__}.")
    return value


def read_json_entries(path: Path, required: Sequence[str], targets: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the entries of a JSON list of objects, or of a file of one a line, each with the required keys.

    `targets` are the keys that name its target.

    Raises:
        CvrError: the file is no such list, a key is missing, or the targets are hidden.
    """
    entries = _entries_of_lines(path) if path.suffix.lower() in (".jsonl", ".ndjson") else read_json(path, list)
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise CvrError(f"{path}: entry {place} should be an object, found {type(entry).__name__}.")
        if missing := [name for name in required if name not in entry]:
            raise CvrError(f"{path}: entry {place} has no {missing[0]!r}. {did_you_mean(missing[0], entry)}")
        if missing := [name for name in targets if name not in entry]:
            hint = "its targets are hidden; read another split (-o split=val)"
            raise CvrError(f"{path}: entry {place} has no {missing[0]!r}; {hint}.")
    return entries


def _entries_of_lines(path: Path) -> list[Any]:
    from cvr_data.core.delimited import lines_of  # with Arrow, which `cvr list` does without
    from cvr_data.core.json_lines import parse_json_line

    entries = []
    with reading(path, "JSON lines"):
        for number, line in enumerate(lines_of(path), 1):
            if line.strip():
                found = parse_json_line(line)
                if isinstance(found, tuple):
                    raise CvrError(f"{path}: line {number}: {found[1]}.")
                entries.append(found)
    return entries


def read_lines(path: Path) -> list[str]:
    """Return the lines that are not blank, without white space around them.

    Raises:
        CvrError: the file is missing or not UTF-8.
    """
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def read_tab_separated(path: Path, at_least: int, at_most: int | None = None) -> list[list[str]]:
    """Return the cells of each line that is not blank; no line is a header, and quotes are part of the text.

    Raises:
        CvrError: the file is missing or not UTF-8, or a line has fewer or more cells.
    """
    lines = [line.removesuffix("\r") for line in read_text(path).split("\n")]
    rows = [line.split("\t") for line in lines if line]
    if bad := [row for row, cells in enumerate(rows) if not at_least <= len(cells) <= (at_most or len(cells))]:
        wanted = f"at least {at_least}" if at_most is None else f"{at_least} to {at_most}"
        raise CvrError(f"{path}: lines {first_few(bad)} (counted from 0) should have {wanted} cells.")
    return rows


def _zipped(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        found = [info for info in archive.infolist() if info.filename.lower().endswith(".json")]
        if len(found) != 1 or found[0].file_size > MAX_JSON_BYTES:
            raise CvrError(f"{path}: expected one JSON file in it, found {len(found)}.")
        return archive.read(found[0])

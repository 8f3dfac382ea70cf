"""JSON as published files have it: written as Python's json.dump does, read with errors in one line."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cvr_data.artifacts import write_bytes
from cvr_data.errors import CvrError


def write_json(path: Path, value: Any, indent: int | None = None) -> Path:
    """Write the value as published files of this kind are: ASCII, no newline at the end; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, json.dumps(value, indent=indent).encode())
    return path


def read_json(path: Path, kind: type) -> Any:
    """Return the value of a JSON file that holds a `kind`: list or dict.

    Raises:
        CvrError: the file is absent, no JSON, or holds something else.
    """
    if not path.is_file():
        raise CvrError(f"{path} does not exist.")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CvrError(f"{path} is not valid JSON ({str(error).splitlines()[0]}).") from None
    if not isinstance(value, kind):
        raise CvrError(f"{path} should hold a JSON {kind.__name__}, found {type(value).__name__}.")
    return value


def read_entries(path: Path, required: Sequence[str], targets: Sequence[str]) -> list[dict[str, Any]]:
    """Return the entries of a JSON list of objects, each with the required keys and those that name its target.

    Raises:
        CvrError: the file is no such list, a key is missing, or the targets are hidden.
    """
    entries = read_json(path, list)
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise CvrError(f"{path}: entry {place} should be an object, found {type(entry).__name__}.")
        if missing := _missing(entry, required):
            raise CvrError(f"{path}: entry {place} has no {missing!r}.")
        if missing := _missing(entry, targets):
            hint = "its targets are hidden; read another split (-o split=val)"
            raise CvrError(f"{path}: entry {place} has no {missing!r}; {hint}.")
    return entries


def _missing(entry: dict[str, Any], names: Iterable[str]) -> str | None:
    return next((name for name in names if name not in entry), None)

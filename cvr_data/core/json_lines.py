"""Reads lines of JSON, an object each: what is wrong with one costs that line alone."""

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

from cvr_data.core.delimited import lines_of
from cvr_data.core.errors import CvrError

KEYS_FROM = 1000
"""Lines that are looked at for keys: not every object has every key."""


def parse_json_line(line: bytes) -> dict[str, Any] | tuple[str, str]:
    """Return the object of a line, or a drop reason and what is wrong with the line."""
    try:
        values = json.loads(line, object_pairs_hook=_without_repeated)
    except UnicodeDecodeError:
        return "not_utf8", "not UTF-8"
    except RecursionError:
        return "bad_row", "not valid JSON: too many brackets in each other"
    except ValueError as error:
        return "bad_row", f"not valid JSON: {error}"
    if not isinstance(values, dict):
        return "bad_row", "not a JSON object"
    if b"\\ud" in line.lower() and not _is_text(values):
        return "not_utf8", "half of a surrogate pair"
    return values


def _is_text(values: Any) -> bool:
    """Whether all texts in a value of JSON can be written: an escape may stand for half a sign."""
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"the key {Counter(key for key, _ in pairs).most_common(1)[0][0]!r} comes twice")
    return found


def json_lines_keys(path: Path) -> list[str]:
    """Return the keys of the first objects of a file. Raises CvrError: no line is an object."""
    found: dict[str, None] = {}
    first = b""
    for line in islice(filter(bytes.strip, lines_of(path)), KEYS_FROM):
        first = first or line
        values = parse_json_line(line)
        found |= dict.fromkeys(values if isinstance(values, dict) else ())
    if not found:
        is_list = first.lstrip().startswith(b"[")
        raise CvrError(
            f"{path}: no line is a JSON object"
            + ("; it is a list, where each line should be an object." * is_list or ".")
        )
    return list(found)

"""A raw answer becomes a modification text: the first line, tidied, or the field of a JSON object."""

import json
import re
from collections.abc import Mapping
from typing import Any

_QUOTES = re.compile('["`*\u201c\u201d]')


def parse_answer(raw: str, *, lead: str = "", schema: Mapping[str, Any] | None = None) -> str | None:
    """Return the modification text of a raw answer, or None when it has the wrong form.

    With a `schema` the answer must hold a JSON object with every required key of the right type, and the text is its
    `modification`. Without one it is the first line that has a word, without the lead, quotes and a final full stop.
    """
    if schema:
        found = _json_object(raw)
        text = found.get("modification") if found is not None and _fits(found, schema) else None
        return _tidy(text, lead) if isinstance(text, str) else None
    lines = [line for line in raw.splitlines() if line.strip()]
    return _tidy(lines[0], lead) if lines else ""


def _tidy(line: str, lead: str) -> str:
    text = " ".join(line.split())
    if lead and text.lower().startswith(lead.lower()):
        text = text[len(lead) :]
    text = _QUOTES.sub("", text).strip().strip("'\u2018\u2019").strip()
    return re.sub(r"[\s.]+$", "", text)


def _json_object(raw: str) -> dict[str, Any] | None:
    decoder = json.JSONDecoder()
    for start in (match.start() for match in re.finditer(r"\{", raw)):
        try:
            found, _ = decoder.raw_decode(raw[start:])
        except json.JSONDecodeError:
            continue
        return found if isinstance(found, dict) else None
    return None


def _fits(found: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    types: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "number": (int, float),
        "integer": int,
        "boolean": bool,
        "array": list,
        "object": dict,
    }
    for key in schema.get("required", ()):
        if key not in found:
            return False
    for key, rule in schema.get("properties", {}).items():
        wanted = types.get(rule.get("type", ""))
        if key in found and wanted is not None and not isinstance(found[key], wanted):
            return False
        if key in found and "enum" in rule and found[key] not in rule["enum"]:
            return False
    return True

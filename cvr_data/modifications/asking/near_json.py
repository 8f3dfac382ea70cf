"""JSON as models write it: other quotes or none, line breaks in texts, commas too many or too few, no last bracket."""

import json
import re
from typing import Any

DEPTH = 32
"""Deeper brackets are no answer."""
_DOUBLE, _SINGLE = '"\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02\u300c\u300d', "'\u2018\u2019\u201a`"
_BLANK = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.S)
_BLANK_OR_COMMA = re.compile(r"(?:[\s,\uff0c]|//[^\n]*|/\*.*?\*/)*", re.S)
_NAME = re.compile(r"[^\W\d][\w-]*")
_NEXT = rf"[,\uff0c\s]\s*(?:[{_DOUBLE}{_SINGLE}]?[\w-]+[{_DOUBLE}{_SINGLE}]?\s*[:\uff1a])"
_AFTER_NAME = re.compile(r"\s*[:\uff1a]")
_AFTER_TEXT = re.compile(rf"\s*(?:$|[}}\]]|```|[,\uff0c]\s*(?:$|[}}\]{{\[{_DOUBLE}{_SINGLE}]|//|/\*)|{_NEXT})")
_BARE = re.compile(rf"(?:(?!{_NEXT})[^}}\]\n])+")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.S)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_WORDS = {"true": True, "false": False, "null": None, "none": None}


class NotJson(ValueError):
    """No JSON, or nothing near it, begins here."""


class CutOff(NotJson):
    """The text ends within a string."""


def near_json_answer(text: str, start: int) -> tuple[Any, int]:
    """Return the value that begins at `start`, and where it ends.

    Raises:
        NotJson: nothing like JSON begins there; CutOff if it begins and the text ends within a string.
    """
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, start)
    except ValueError:  # also of a number that is too long to be one
        return _near_json_value(text, start, DEPTH)
    except RecursionError:
        raise NotJson from None


def _near_json_value(text: str, at: int, depth: int) -> tuple[Any, int]:
    at = _skip_blank(text, at)
    if at >= len(text) or not depth:
        raise NotJson
    if text[at] == "{":
        return _near_json_object(text, at + 1, depth - 1)
    if text[at] == "[":
        return _near_json_list(text, at + 1, depth - 1)
    if text[at] in _DOUBLE + _SINGLE:
        return _near_json_string(text, at, _AFTER_TEXT)
    found = _BARE.match(text, at)
    if not found:
        raise NotJson
    bare = found[0].strip().rstrip(",")
    try:
        return json.loads(bare), found.end()
    except ValueError:
        return _WORDS.get(bare.lower(), bare), found.end()


def _near_json_object(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while (at := _skip_blank(text, at, commas=True)) < len(text) and text[at] != "}":
        if text[at] in _DOUBLE + _SINGLE:
            name, at = _near_json_string(text, at, _AFTER_NAME)
        elif bare := _NAME.match(text, at):
            name, at = bare[0], bare.end()
        elif found and text.startswith("```", at):
            break
        else:
            raise NotJson
        colon = _AFTER_NAME.match(text, _skip_blank(text, at))
        if not colon:
            raise NotJson
        found[name], at = _near_json_value(text, colon.end(), depth)
    if not found:
        raise NotJson
    return found, at + 1


def _near_json_list(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    found = []
    while (at := _skip_blank(text, at, commas=True)) < len(text) and text[at] != "]":
        if text[at] == "}":
            raise NotJson
        value, at = _near_json_value(text, at, depth)
        found.append(value)
    return found, at + 1


def _near_json_string(text: str, at: int, after: re.Pattern[str]) -> tuple[str, int]:
    """Return a quoted text: a quote ends it where JSON goes on, so those within it need no backslash."""
    quotes = _DOUBLE if text[at] in _DOUBLE else _SINGLE
    for close in re.finditer(rf"\\.|[{quotes}]", text[at + 1 :], re.S):
        end = at + 1 + close.end()
        if not close[0].startswith("\\") and after.match(text, end):
            return _ESCAPE.sub(_unescaped_answer, text[at + 1 : end - 1]), end
    raise CutOff


def _unescaped_answer(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else _ESCAPED.get(escape[2], escape[2])


def _skip_blank(text: str, at: int, *, commas: bool = False) -> int:
    found = (_BLANK_OR_COMMA if commas else _BLANK).match(text, at)
    return found.end() if found else at

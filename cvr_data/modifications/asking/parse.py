"""A raw answer becomes a text: the first line that says something, or the field of a JSON object; or a reason."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from cvr_data.core.errors import first_line
from cvr_data.modifications.asking.near_json import CutOff, NotJson, near_json_answer
from cvr_data.modifications.asking.said import (
    answer_as_one_line,
    first_answer_line,
    is_answer_cut,
    is_refusal,
    said_in_model_answer,
    storable_answer,
    tidy_answer_line,
)

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_ARROW = re.compile(r"->|=>|[\u2192\u21d2]")
_STARTS = 200
"""Brackets at which an object may begin; more are no answer."""


class Reading(NamedTuple):
    """The text of an answer, or None and why there is none.

    Reasons are empty, refusal, truncated, no_sentence, unparsable (no JSON), schema (JSON that the schema forbids).
    """

    text: str | None
    reason: str = ""
    lacks: str = ""
    """What a truncated answer had no room for: its `text`, or the `thoughts` before it."""


_TRUNCATED = Reading(None, "truncated", "text")


def read_answer(
    raw: str,
    *,
    lead: str = "",
    schema: Mapping[str, Any] | None = None,
    key: str = "modification",
    is_cut_off: bool = False,
    is_paragraph: bool = False,
) -> Reading:
    """Return the text of a raw answer, or why it holds none.

    With a `schema` the text is what the last object that the schema allows has under `key`; without one it is the first
    line that says something, or such an object. `is_cut_off`: the model had no room for more. `is_paragraph`: where
    there is no object, the whole answer is the text, as an engine that cannot be held to a schema writes it.
    """
    text = said_in_model_answer(raw)
    if text is None or (is_cut_off and not text.strip()):
        return Reading(None, "truncated", "thoughts")
    if not text.strip():
        return Reading(None, "empty")
    found, fault = _last_object(text, schema, key)
    if found is not None:
        return _parsed_judgment(tidy_answer_line(found[key], lead))
    if is_refusal(first_answer_line(text, lead) or text):
        return Reading(None, "refusal")
    if fault == "truncated":
        return _TRUNCATED
    if is_paragraph and "{" not in text:
        return _parsed_judgment(answer_as_one_line(text), is_cut_off=is_cut_off)
    if schema:
        return _TRUNCATED if is_cut_off else Reading(None, fault or "unparsable")
    line = first_answer_line(text, lead)
    return _parsed_judgment(line, is_cut_off=is_cut_off and "\n" not in text.strip())


def _parsed_judgment(text: str, *, is_cut_off: bool = False) -> Reading:
    if is_refusal(text):
        return Reading(None, "refusal")
    if is_cut_off or is_answer_cut(text):
        return _TRUNCATED
    if _ARROW.search(text):
        return Reading(None, "no_sentence")
    return Reading(text) if text else Reading(None, "empty")


def parse_answer(
    raw: str, *, lead: str = "", schema: Mapping[str, Any] | None = None, key: str = "modification"
) -> str | None:
    """Return the text that `read_answer` finds: empty where nothing was said, None where it is not to be used."""
    found = read_answer(raw, lead=lead, schema=schema, key=key)
    return "" if found.reason == "empty" and not schema else found.text


def parse_answer_object(raw: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the last JSON object of a raw answer that the schema allows, or None when there is none."""
    text = said_in_model_answer(raw)
    return _last_object(text, schema)[0] if text else None


def _last_object(text: str, schema: Mapping[str, Any] | None, key: str = "") -> tuple[dict[str, Any] | None, str]:
    """Return the last object that is allowed and says something under `key`; or what another is: truncated, schema."""
    last, is_open, is_other, end = None, False, False, 0
    for start in [match.start() for match in re.finditer(r"\{", text)][-_STARTS:]:
        if start < end:
            continue
        try:
            found, after = near_json_answer(text, start)
        except NotJson as problem:
            is_open |= isinstance(problem, CutOff)
            continue
        found, is_other = storable_answer(found), True
        if key and not (isinstance(found.get(key), str) and tidy_answer_line(found[key])):
            continue
        if not schema or _answer_validator(json.dumps(schema)).is_valid(found):
            last, end, is_open = found, after, False
    if last is not None:
        return last, ""
    return None, "truncated" if is_open else "schema" if is_other else ""


def answer_schema_problem(schema: Mapping[str, Any]) -> str:
    """Return in words why a schema is no JSON schema; empty if it is one."""
    from jsonschema import Draft202012Validator, SchemaError
    from referencing.exceptions import Unresolvable

    try:
        Draft202012Validator.check_schema(schema)
        text = json.dumps(schema)
        if outer := [ref for ref in _schema_references(schema) if not str(ref).startswith("#")]:
            return f"$ref {outer[0]!r} leads elsewhere; a schema may refer to its own parts (#/...)"
        _answer_validator(text).is_valid({})
    except SchemaError as error:
        return error.message
    except RecursionError:
        return "a $ref leads to itself"
    except (Unresolvable, ValueError, TypeError) as error:
        return first_line(error)
    return ""


def _schema_references(part: Any) -> Iterator[Any]:
    """Yield what each reference in a schema leads to."""
    if isinstance(part, Mapping):
        yield from (part[name] for name in ("$ref", "$dynamicRef", "$recursiveRef") if name in part)
    if isinstance(part, Mapping | list | tuple):
        for inner in part.values() if isinstance(part, Mapping) else part:
            yield from _schema_references(inner)


@lru_cache(maxsize=64)
def _answer_validator(schema_text: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator
    from referencing import Registry

    return Draft202012Validator(json.loads(schema_text), registry=Registry())  # one that fetches nothing

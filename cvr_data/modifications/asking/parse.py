"""A raw answer becomes a modification text: the first line, tidied, or the field of a JSON object."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cvr_data.core.errors import first_line
from cvr_data.language.words import clean_text

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_QUOTES = re.compile('["`*\u201c\u201d]')


def parse_answer(
    raw: str, *, lead: str = "", schema: Mapping[str, Any] | None = None, key: str = "modification"
) -> str | None:
    """Return the text of a raw answer, or None when it has the wrong form.

    With a `schema` the answer must hold a JSON object that the schema allows, and the text is what it has under `key`.
    Without one it is the first line that has a word, without the lead, quotes and a final full stop.
    """
    if schema:
        found = parse_object(raw, schema)
        text = found.get(key) if found is not None else None
        return _tidy(text, lead) if isinstance(text, str) else None
    lines = [line for line in raw.splitlines() if line.strip()]
    return _tidy(lines[0], lead) if lines else ""


def parse_object(raw: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the first JSON object of a raw answer, or None when there is none or the schema does not allow it."""
    found = _json_object(raw)
    return found if found is not None and _validator(json.dumps(schema)).is_valid(found) else None


def schema_problem(schema: Mapping[str, Any]) -> str:
    """Return in words why a schema is no JSON schema; empty if it is one."""
    from jsonschema import Draft202012Validator, SchemaError
    from referencing.exceptions import Unresolvable

    try:
        Draft202012Validator.check_schema(schema)
        text = json.dumps(schema)
        if outer := [ref for ref in _references(schema) if not str(ref).startswith("#")]:
            return f"$ref {outer[0]!r} leads elsewhere; a schema may refer to its own parts (#/...)"
        _validator(text).is_valid({})
    except SchemaError as error:
        return error.message
    except RecursionError:
        return "a $ref leads to itself"
    except (Unresolvable, ValueError, TypeError) as error:
        return first_line(error)
    return ""


def _references(part: Any) -> Iterator[Any]:
    """Yield what each reference in a schema leads to."""
    if isinstance(part, Mapping):
        yield from (part[name] for name in ("$ref", "$dynamicRef", "$recursiveRef") if name in part)
    if isinstance(part, Mapping | list | tuple):
        for inner in part.values() if isinstance(part, Mapping) else part:
            yield from _references(inner)


@lru_cache(maxsize=64)
def _validator(schema_text: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator
    from referencing import Registry

    return Draft202012Validator(json.loads(schema_text), registry=Registry())  # one that fetches nothing


def _tidy(line: str, lead: str) -> str:
    text = clean_text(" ".join(line.split()))
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
        except RecursionError:  # thousands of brackets are no answer
            return None
        return found if isinstance(found, dict) else None
    return None

"""What a short text of change asserts, takes back, and replaces with what.

    split_negated("make it blue, not red")           # affirmed [make, it, blue], negated [red]

The lint checks use these instead of a parser: they see millions of texts of five words.
"""

import re
from typing import NamedTuple

from cvr_data.language.words import folded, words_of

_NEGATED = re.compile(r"\b(?:instead of|rather than|no longer|without|not|\w+n't)\b(.*?)(?=,|;|\.|\bbut\b|$)")
_FROM_TO = re.compile(
    r"\b(?:replace|swap|exchange|substitute|change|turn|transform|convert|switch|make)\b(?P<old>.+?)"
    r"\b(?:with|by|for|into|to)\b(?P<new>.+)"
)


class Sides(NamedTuple):
    """The words a text asserts, and those it takes back."""

    affirmed: list[str]
    negated: list[str]


def split_negated(text: str) -> Sides:
    """Return the words a text asserts and those that `instead of`, `rather than`, `not` or `don't` takes back."""
    plain = folded(text)
    negated = [word for part in _NEGATED.findall(plain) for word in words_of(part)]
    return Sides(words_of(_NEGATED.sub(" ", plain)), negated)


def replaced(text: str) -> tuple[list[str], list[str]] | None:
    """Return the words of X and Y where a text says to replace X with Y or to change X to Y, else None."""
    found = _FROM_TO.search(_NEGATED.sub(" ", folded(text)))
    return (words_of(found["old"]), words_of(found["new"])) if found else None

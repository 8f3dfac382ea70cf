"""A modification text without its words of negation: what it would ask for if it excluded nothing.

"a dog instead of a cat" -> "a dog a cat". A model compares both views of a text to learn what it excludes.
"""

import re

EXCLUDING = (
    "instead of",
    "rather than",
    "in place of",
    "as opposed to",
    "no longer",
    "not",
    "no",
    "never",
    "neither",
    "nor",
    "without",
    "except",
    "get rid of",
    "take out",
    "remove",
    "removes",
    "removed",
    "removing",
    "replace",
    "replaces",
    "replaced",
    "replacing",
)
"""Words that turn what follows (or, `replace`, part of it) into what is to go; longer ones first where they overlap."""

AS_RELEASED = ("instead of", "not", "rather than")
"""What FDCA deletes, in that order, wherever the letters stand."""

_WORDS = re.compile(rf"\b(?:{'|'.join(EXCLUDING)})\b|n['\u2019]t\b", re.IGNORECASE)


def without_negation(text: str) -> str:
    """Return the text without its words of negation, in any case; `doesn't` keeps `does`; unchanged if none is left."""
    stripped = " ".join(_WORDS.sub(" ", text).split())
    return stripped if any(letter.isalnum() for letter in stripped) else text


def without_negation_as_released(text: str) -> str:
    """Return the text as FDCA strips it: letters are deleted inside words too, so another becomes aher."""
    for letters in AS_RELEASED:
        text = text.replace(letters, "")
    return text

"""Words of short English texts: the same word in another form, and what a negation takes back.

    same_word("dives", "diving")                     # True
    split_negated("make it blue, not red")           # affirmed [make, it, blue], negated [red]

The lint checks use these instead of a parser: they see millions of texts of five words.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

_WORD = re.compile(r"[a-z0-9]+")
_NEGATED = re.compile(r"\b(?:instead of|rather than|no longer|without|not)\b(.*?)(?=,|;|\.|\bbut\b|$)")
_FROM_TO = re.compile(
    r"\b(?:replace|swap|exchange|substitute|change|turn|transform|convert|switch|make)\b(?P<old>.+?)"
    r"\b(?:with|by|for|into|to)\b(?P<new>.+)"
)

FUNCTION_WORDS = frozenset(
    "a an the this that these those some any each other another his her its their my your our he she it they them him "
    "i you we and or but of in on at to from with by for into onto over under near along across through during while "
    "as is are was were be being been has have had do does did so very there then than up down out off".split()
)
"""Words that carry no content of their own; directions count as content only where a change names them."""

EDIT_WORDS = frozenset(
    "make change replace turn put move show add remove use swap switch set give let take bring keep start stop become "
    "becomes appear appears transform convert instead rather not no longer without more less now only just one ones "
    "same different new different video clip scene shot background foreground setting place time day season weather "
    "color colour size shape kind type way person someone something thing things action object subject camera go goes "
    "look like what should must can will would let lets everything rest again seen shows".split()
)
"""Words a modification may use although neither caption has them."""

_PREPOSITIONS = frozenset(
    "in on at over under above below behind beside near by with from into onto across along around through between "
    "against before inside outside past toward towards during while and".split()
)

_IRREGULAR_FORMS = {
    "run": "ran", "sit": "sat", "stand": "stood", "swim": "swam swum", "fly": "flew flown", "eat": "ate eaten",
    "drink": "drank drunk", "drive": "drove driven", "ride": "rode ridden", "write": "wrote written",
    "throw": "threw thrown", "fall": "fell fallen", "rise": "rose risen", "grow": "grew grown", "go": "went gone",
    "sing": "sang sung", "sleep": "slept", "speak": "spoke spoken", "take": "took taken", "hold": "held",
    "shake": "shook shaken", "swing": "swung", "spin": "spun", "catch": "caught", "buy": "bought",
    "break": "broke broken", "draw": "drew drawn", "blow": "blew blown", "lie": "lay lain lying", "ring": "rang rung",
    "feed": "fed", "build": "built", "lead": "led", "leave": "left", "child": "children", "man": "men",
    "woman": "women", "person": "people", "mouse": "mice", "goose": "geese", "foot": "feet", "tooth": "teeth",
    "leaf": "leaves", "knife": "knives", "wolf": "wolves", "loaf": "loaves", "half": "halves", "calf": "calves",
}  # fmt: skip
_IRREGULAR = {form: base for base, forms in _IRREGULAR_FORMS.items() for form in forms.split()}


class Sides(NamedTuple):
    """The words a text asserts, and those it takes back."""

    affirmed: list[str]
    negated: list[str]


def words_of(text: str) -> list[str]:
    """Return the lower-case words of a text."""
    return _WORD.findall(text.lower())


@lru_cache(maxsize=65_536)
def stems(word: str) -> frozenset[str]:
    """Return the base forms that the word may be a form of, itself included."""
    found = {word, _IRREGULAR.get(word, word)}
    if len(word) > 4 and word.endswith("ies"):
        found.add(word[:-3] + "y")
    if len(word) > 2 and word.endswith("s") and not word.endswith("ss"):
        found.add(word[:-1])
    for ending in ("es", "ed", "ing"):
        base = word[: -len(ending)]
        if word.endswith(ending) and len(base) >= 2:
            found |= {base, base + "e"}
            if len(base) >= 3 and base[-1] == base[-2]:
                found.add(base[:-1])
    return frozenset(found)


def same_word(one: str, other: str) -> bool:
    """Return whether two words may be forms of one: walks and walking, dives and dive."""
    return not stems(one).isdisjoint(stems(other))


def has_word(words: Iterable[str], wanted: str) -> bool:
    """Return whether a form of `wanted` is among the words."""
    forms = stems(wanted)
    return any(not forms.isdisjoint(stems(word)) for word in words)


def mentions(words: Sequence[str], concept: str) -> bool:
    """Return whether the words name the concept: every content word of it, or all words if it has none."""
    wanted = content_words(words_of(concept)) or words_of(concept)
    return bool(wanted) and all(has_word(words, word) for word in wanted)


def content_words(words: Iterable[str]) -> list[str]:
    """Return the words that are no function words."""
    return [word for word in words if word not in FUNCTION_WORDS]


def phrases_of(caption: str) -> list[list[str]]:
    """Return the words of a caption, cut before each preposition: [a, red, ball, falls], [on, a, road]."""
    phrases: list[list[str]] = [[]]
    for word in words_of(caption):
        if word in _PREPOSITIONS and phrases[-1]:
            phrases.append([])
        phrases[-1].append(word)
    return phrases


def split_negated(text: str) -> Sides:
    """Return the words a text asserts and those that `instead of`, `rather than` or `not` takes back."""
    lowered = text.lower()
    negated = [word for part in _NEGATED.findall(lowered) for word in words_of(part)]
    return Sides(words_of(_NEGATED.sub(" ", lowered)), negated)


def replaced(text: str) -> tuple[list[str], list[str]] | None:
    """Return the words of X and Y where a text says to replace X with Y or to change X to Y, else None."""
    found = _FROM_TO.search(_NEGATED.sub(" ", text.lower()))
    return (words_of(found["old"]), words_of(found["new"])) if found else None

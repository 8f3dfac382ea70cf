"""Tagged captions with the faults of small taggers mended, and the part of speech of a phrase in one.

Small taggers take the verb of "a ring flashes" for a noun, and then the noun for an attribute. English has no phrase
"a ring flashes" (a, singular, plural), so such a plural is read as a verb; so is "vanishing" of "a ring vanishing at".
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from cvr_data.language.closed_words import DIRECTIONS, PARTITIVES
from cvr_data.language.dimensions import words_of_dimension
from cvr_data.language.lexicon import read_lexicon

SLOTS = ("action", "scene", "object", "attribute", "other")
"""Where the two words of a change fill different slots, the first of them is the slot of the change."""

PARTS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM",
    "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SPACE", "SYM", "VERB", "X",
)  # fmt: skip
"""The universal parts of speech that spaCy tells."""

COLOURS_OR_THINGS = frozenset("orange rose silver gold violet blonde".split())
COLOURS = words_of_dimension("colour") - COLOURS_OR_THINGS
"""Those that are hardly ever things."""
PLACES_AND_TIMES = ("place", "time", "season", "weather")
"""Classes of the lexicon whose nouns taggers take for adjectives: "glacier"."""
VERBS = frozenset(("VERB", "AUX"))
THINGS = frozenset(("NOUN", "PROPN", "PRON"))
MODIFIERS = frozenset(("ADJ", "NUM", "DET"))
PARTICIPLES = frozenset(("VBG", "VBN", "VBD"))
NOUNS_IN_ING = frozenset(
    "being blessing building ceiling clothing duckling dumpling earring evening feeling king lightning morning "
    "offspring opening painting parking pudding railing ring sibling sling spring string swing thing wedding "
    "wing".split()
)
"""Words that end as the participle of a verb does, and are things."""


class Tagged(NamedTuple):
    """A caption's words, their part of speech and the finer Penn tag."""

    words: Sequence[str]
    parts: Sequence[str]
    tags: Sequence[str]


def repair_parsed_caption(caption: Tagged) -> Tagged:
    """Return the caption with verbs that were taken for nouns, colours, and places, tagged as what they are."""
    words, tags = caption.words, list(caption.tags)
    parts = [_known_part(word, part) for word, part in zip(words, caption.parts, strict=True)]
    for index in range(len(words) - 2):
        if words[index] in COLOURS_OR_THINGS and _is_before_described(parts, tags, index):
            parts[index] = "ADJ"
    for index in range(1, len(words)):
        if parts[index] == "NOUN" and tags[index] == "NNS" and _is_clause_verb(words, parts, tags, index):
            parts[index] = "VERB"
        elif parts[index] == "NOUN" and tags[index] == "NN" and _is_participle_of_clause(words, parts, index):
            parts[index], tags[index] = "VERB", "VBG"
    return Tagged(words, parts, tags)


def _known_part(word: str, part: str) -> str:
    if word in COLOURS:
        return "ADJ"
    return "NOUN" if part == "ADJ" and _is_place_or_time(word) else part


@lru_cache(maxsize=16_384)
def _is_place_or_time(word: str) -> bool:
    lexicon = read_lexicon()
    is_one = word not in PARTITIVES and not lexicon.classes(word).isdisjoint(PLACES_AND_TIMES)
    return is_one and lexicon.frequency(word, "noun") > lexicon.frequency(word, "adj")


def part_of_speech(caption: Tagged, phrase: str) -> str | None:
    """Return the part of speech of the last word of a phrase, its head in English; None if the caption has it not."""
    words = phrase.split()
    first = _find(caption.words, words)
    return None if first is None else caption.parts[first + len(words) - 1] or "X"


def _is_before_described(parts: Sequence[str], tags: Sequence[str], index: int) -> bool:
    """Whether an adjective or participle and then a thing follow: "an orange spotted ball"."""
    is_modifier = parts[index + 1] == "ADJ" or tags[index + 1] in ("VBN", "VBD")
    return is_modifier and parts[index + 2] in THINGS


def _is_clause_verb(words: Sequence[str], parts: Sequence[str], tags: Sequence[str], index: int) -> bool:
    """Whether a plural noun must be the verb: "a ring flashes", "the camera tilts", "a ring that flashes"."""
    if tags[index - 1] == "WDT":
        return True
    is_moved = index + 1 < len(words) and words[index + 1] in DIRECTIONS
    if tags[index - 1] not in ("NN", "NNP") or parts[index - 1] not in THINGS:
        return False
    article = index - 1
    while article >= 0 and parts[article] in (*THINGS, "ADJ", "NUM", "VERB") and tags[article] not in ("VBZ", "VBP"):
        article -= 1
    if article < 0 or parts[article] != "DET":
        return False
    has_verb_after = index + 1 < len(words) and parts[index + 1] in VERBS and words[index + 1] not in DIRECTIONS
    is_clear = tags[index - 1] == "NN" or is_moved  # "the christmas lights" is none
    return words[article] in ("a", "an") or (is_clear and not has_verb_after)


def _is_participle_of_clause(words: Sequence[str], parts: Sequence[str], index: int) -> bool:
    """Whether a "noun" in -ing after a thing says what it does: "a hoop vanishing at", not "a city building in"."""
    if not words[index].endswith("ing") or words[index] in NOUNS_IN_ING or parts[index - 1] not in THINGS:
        return False
    return index + 1 == len(words) or parts[index + 1] in ("ADP", "ADV") or words[index + 1] in DIRECTIONS


def _find(words: Sequence[str], phrase: Sequence[str]) -> int | None:
    for start in range(len(words) - len(phrase) + 1):
        if list(words[start : start + len(phrase)]) == list(phrase) and phrase:
            return start
    return None

"""Which slot a phrase fills in a tagged caption: action, scene, object, attribute or other.

A verb is an action, and so is a direction; a noun after a preposition of place, or a word of place or time, is a scene;
other nouns are objects; colours, adjectives, participles before a noun and nouns before a noun are attributes.

Small taggers take the verb of "a ring flashes" for a noun, and then the noun for an attribute. English has no phrase
"a ring flashes" (a, singular, plural), so such a plural is read as a verb; so is "vanishing" of "a ring vanishing at".
"""

from collections.abc import Sequence
from typing import NamedTuple

from cvr_data.language.stop_words import PREPOSITIONS_OF_PLACE

SLOTS = ("action", "scene", "object", "attribute", "other")
"""Where the two words of a change fill different slots, the first of them is the slot of the change."""

PARTS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM",
    "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SPACE", "SYM", "VERB", "X",
)  # fmt: skip
"""The universal parts of speech that spaCy tells."""

PLACE_NOUNS = frozenset("front top side middle back edge bottom end".split())
"""Words that make a preposition of place with "of": in front of, on top of."""
SCENES = frozenset(
    "airport alley autumn backyard balcony bar bathroom bay beach bedroom bridge building cafe canyon castle cave "
    "church city cliff coast countryside dawn day desert downtown dusk evening factory farm field fog forest galaxy "
    "garden glacier gym harbor harbour highway hill hills hospital hotel indoors island jungle kitchen lake landscape "
    "library market meadow morning mountain mountains night ocean office orchard outdoors park pier planet playground "
    "pond pool port rain restaurant river road room school sea seaside shop shore sky skyline snow space spring square "
    "stadium station store storm street studio summer sunrise sunset supermarket swamp temple tower town tunnel valley "
    "village vineyard volcano wall warehouse waterfall winter wood woods yard".split()
)
COLOURS = frozenset(
    "black white grey gray red green blue yellow pink purple brown beige turquoise cyan magenta golden "
    "colorful colourful multicolored".split()
)
"""Those that are hardly ever things."""
COLOURS_OR_THINGS = frozenset("orange rose silver gold violet".split())
DIRECTIONS = frozenset("left right up down upwards downwards forward forwards backward backwards clockwise".split())

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
SHOTS = frozenset("animation background clip close-up closeup footage macro timelapse time-lapse video".split())
"""Words for the film itself: a noun before one is what is seen, not what kind of film it is."""
PEOPLE = frozenset("boy boys couple girl girls man men woman women".split())
"""Before a noun they are still who is seen: "woman freelancer"."""
BEFORE_PARTICIPLE = frozenset(("DET", "ADJ", "NUM", "ADP", "CCONJ", "PUNCT"))


class Tagged(NamedTuple):
    """A caption's words, their part of speech and the finer Penn tag."""

    words: Sequence[str]
    parts: Sequence[str]
    tags: Sequence[str]


def repaired(caption: Tagged) -> Tagged:
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
    return "NOUN" if part == "ADJ" and word in SCENES else part


def slot_of(caption: Tagged, phrase: str) -> str:
    """Return the slot that a phrase fills in a repaired caption; "other" if the caption has it not."""
    first = _find(caption.words, phrase.split())
    return "other" if first is None else slot_at(caption, first, first + len(phrase.split()) - 1)


def slot_at(caption: Tagged, first: int, last: int) -> str:
    """Return the slot that the words `first` to `last` of a repaired caption fill."""
    words, parts, _ = caption
    span = range(first, last + 1)
    if any(parts[index] in VERBS for index in span):
        return "attribute" if _is_participle_of_noun(caption, last) else "action"
    if any(words[index] in DIRECTIONS and parts[index] not in THINGS for index in span):
        return "action"
    if any(parts[index] in THINGS for index in span):
        return _slot_of_noun(caption, first, last)
    if any(parts[index] in MODIFIERS for index in span):
        return "attribute"
    is_particle = parts[first] in ("ADV", "ADP", "PART") and any(
        part in VERBS for part in parts[max(0, first - 3) : first]
    )
    return "action" if is_particle else "other"


def part_of(caption: Tagged, phrase: str) -> str | None:
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


def _slot_of_noun(caption: Tagged, first: int, last: int) -> str:
    words = caption.words
    if first == last and _is_noun_modifier(caption, last):
        return "attribute"
    return "scene" if words[last] in SCENES or _is_placed(caption, first, last) else "object"


def _is_noun_modifier(caption: Tagged, index: int) -> bool:
    """Whether a noun says what kind of thing another is: "brick" wall, "orange" striped ball."""
    words, parts, tags = caption
    if index + 1 >= len(words):
        return False
    if words[index] in COLOURS_OR_THINGS and (parts[index + 1] == "ADJ" or tags[index + 1] == "VBN"):
        return True
    return parts[index + 1] in ("NOUN", "PROPN") and words[index + 1] not in SHOTS and words[index] not in PEOPLE


def _is_placed(caption: Tagged, first: int, last: int) -> bool:
    """Whether a noun stands after a preposition of place, or before "behind" or "in the background"."""
    words = caption.words
    before = _start_of_noun_phrase(caption, first) - 1
    if before > 0 and words[before] == "of":
        return words[before - 1] in PLACE_NOUNS
    rest = tuple(words[last + 1 : last + 4])
    is_behind = rest[:1] == ("behind",) or rest == ("in", "the", "background")
    return is_behind or (before > 0 and words[before] in PREPOSITIONS_OF_PLACE)


def _start_of_noun_phrase(caption: Tagged, noun: int) -> int:
    """Return where the words that belong to a noun begin: at its determiner, or after what is no modifier."""
    words, parts, tags = caption
    start = noun
    while start > 0 and words[start - 1] not in PLACE_NOUNS:
        is_modifier = parts[start - 1] in (*MODIFIERS, *THINGS) or tags[start - 1] in PARTICIPLES
        if not is_modifier or parts[start] == "DET":
            break
        start -= 1
    return start


def _is_participle_of_noun(caption: Tagged, index: int) -> bool:
    """Whether a participle stands as an adjective: "a running dog", "striped yellow hoop"."""
    _, parts, tags = caption
    if tags[index] not in PARTICIPLES:
        return False
    after = index + 1
    while after < len(parts) and (parts[after] == "ADJ" or tags[after] == "VBN"):
        after += 1
    if after >= len(parts) or parts[after] not in THINGS:
        return False
    if index == 0:
        return tags[index] != "VBG"  # "cooking fish" tells what is done, "cooked fish" what it is like
    return parts[index - 1] in BEFORE_PARTICIPLE or tags[index - 1] == "VBN"


def _find(words: Sequence[str], phrase: Sequence[str]) -> int | None:
    for start in range(len(words) - len(phrase) + 1):
        if list(words[start : start + len(phrase)]) == list(phrase) and phrase:
            return start
    return None

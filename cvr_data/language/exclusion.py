"""Whether two words for the same slot exclude each other: what is a guitar is no piano, what is red is not blue.

    relation_of("noun", "guitar", "piano")     # EXCLUDES
    relation_of("noun", "man", "singer")       # FITS: a singer may be a man
    relation_of("noun", "pin", "food")         # UNRELATED

Siblings under a near hypernym exclude each other, and so do two places, two times, and the words of one dimension
(colour, age ...). The same word, synonyms, one above the other and verbs of one class fit. People are men or women,
children or grown-up; whatever else two words say of people may be said of one person.
"""

from cvr_data.language.closed_words import SHOWING
from cvr_data.language.dimensions import are_apart, stands_for, word_dimension
from cvr_data.language.lexicon import GROUP, Lexicon, read_lexicon
from cvr_data.language.roles import ACT, TIMES, UNSEEN_FILES
from cvr_data.language.spelling import is_misspelling
from cvr_data.language.verdicts import PERFORMING

FITS, EXCLUDES, UNRELATED, CLASH = range(4)
"""CLASH is of words that neither exclude each other as values of one slot do nor can both be meant."""
COMMUNICATION, EVENT = 10, 11
"""WordNet's files of what is said and of what happens, as "speech"."""
KINDS = ("animal", "plant", "food", "body", "vehicle", "furniture", "clothing", "container", "instrument", "sport")
"""Classes whose members exclude each other wherever they stand in the tree of WordNet."""
SEXES = ("male", "female")
YOUNG = frozenset(("boy", "girl"))
"""Words that are said of the young and of the grown-up."""
VAGUE = frozenset(
    "animal area background character clothes color cook dish equipment floor food ground group indoor indoors "
    "ingredient item location machine material meal object outdoor outdoors outside people person picture place plant "
    "product recipe scene setting side something space stuff surface thing tool vehicle venue".split()
)
"""Nouns that tell so little that almost any other fits."""
ALWAYS_THERE = frozenset(("camera", "viewer", "shirt"))
"""Things that so many videos have that two have nothing in common by one."""
INDEFINITE = frozenset(("colorful", "several", "few"))
"""Words of a dimension that exclude no other of it."""
DONE = frozenset((29, 33, 34, 35, 36, 38))
"""WordNet's files of verbs of what can be seen: body, competition, consumption, contact, creation, motion."""
ALIKE = tuple(
    frozenset(words.split())
    for words in (
        "make prepare cook fix", "mix stir whisk blend combine", "cut chop slice dice", "say talk",
        "look watch stare gaze see", "show demonstrate explain teach instruct", "walk go move travel",
        "compete play race", "fight wrestle box", "put place set lay add", "take get grab pick", "speak talk host",
        "use operate handle", "model pose", "act perform",
    )
)  # fmt: skip
"""Verbs that captions use for one and the same, beside those that WordNet has so."""


VAGUE_VERBS = frozenset(
    "act begin come do end get go happen have interact look make move perform place play put see show sit stand start "
    "take talk try use wear work".split()
)
"""Verbs that tell so little of what is seen that two videos have nothing in common by one."""


def relation_of(part: str, one: str, other: str) -> int:
    """Return how two words for one slot stand to each other; the order of the two does not matter."""
    one, other = sorted((one, other))
    if one == other:
        return FITS
    lexicon = read_lexicon()
    if part == "verb":
        return _of_verbs(one, other, lexicon)
    return _of_adjectives(one, other, lexicon) if part == "adj" else _of_nouns(one, other, lexicon)


def _of_adjectives(one: str, other: str, lexicon: Lexicon) -> int:
    leaders = {stands_for("attribute", word) for word in (one, other)}
    if len(leaders) == 1 or lexicon.relation(one, other, "adj") == "same":
        return FITS
    is_apart = are_apart("attribute", one, other) and leaders.isdisjoint(INDEFINITE)
    is_one_axis = word_dimension("attribute", one) == word_dimension("attribute", other)
    return EXCLUDES if is_apart and is_one_axis else UNRELATED


def _of_verbs(one: str, other: str, lexicon: Lexicon) -> int:
    verbs = one.split(" ")[0], other.split(" ")[0]
    if verbs[0] == verbs[1]:
        return FITS if len({one, other} & {*verbs}) else CLASH
    if is_misspelling(*verbs) or any(
        verbs[0] in alike and verbs[1] in alike for alike in (*ALIKE, SHOWING, PERFORMING)
    ):
        return FITS
    if lexicon.relation(*verbs, "verb") in ("same", "above", "below") or all(map(lexicon.is_speech, verbs)):
        return FITS
    is_seen = all(lexicon.file_of_verb(verb) in DONE and verb not in VAGUE_VERBS for verb in verbs)
    return EXCLUDES if is_seen else CLASH


def _of_nouns(one: str, other: str, lexicon: Lexicon) -> int:
    classes = lexicon.classes(one), lexicon.classes(other)
    if {one, other} & VAGUE:
        return FITS
    are_people = ["person" in found for found in classes]
    if all(are_people):
        return _of_people(one, other, lexicon)
    relation = lexicon.relation(one, other, "noun")
    is_headed = one == other.split(" ")[-1] or other == one.split(" ")[-1]
    if relation in ("same", "above", "below") or is_headed or is_misspelling(one, other):
        return FITS
    if any(are_people):
        return EXCLUDES if all({"person", "animal"} & found for found in classes) else CLASH
    if not all(_is_seen(word, lexicon) for word in (one, other)):
        return CLASH
    shared = classes[0] & classes[1]
    if relation == "sibling" or not shared.isdisjoint((*KINDS, "place", *TIMES)):
        return EXCLUDES
    return UNRELATED


def _of_people(one: str, other: str, lexicon: Lexicon) -> int:
    classes = lexicon.classes(one), lexicon.classes(other)
    sexes = [found & {*SEXES} for found in classes]
    if sexes[0] and sexes[1] and sexes[0] != sexes[1]:
        return EXCLUDES
    is_grown = [
        not {word.split(" ")[-1]} & YOUNG and "grown" in found
        for word, found in zip((one, other), classes, strict=True)
    ]
    is_child = ["child" in found for found in classes]
    return EXCLUDES if (is_grown[0] and is_child[1]) or (is_child[0] and is_grown[1]) else FITS


def entails(part: str, said: str, value: str) -> bool:
    """Whether what is said tells that a value is there, too: a poodle is a dog; a dog need be no poodle."""
    if said == value or said.endswith(f" {value}"):
        return True
    lexicon = read_lexicon()
    if part in ("verb", "adj"):
        return relation_of(part, said, value) == FITS
    if part == "noun" and all("person" in lexicon.classes(word) for word in (said, value)):
        has_sex = all(lexicon.classes(word) & {*SEXES, "child"} for word in (said, value))
        return has_sex and relation_of(part, said, value) == FITS
    return lexicon.relation(said, value, part) in ("same", "below")


def _is_seen(noun: str, lexicon: Lexicon) -> bool:
    if lexicon.is_a(noun, "image") or lexicon.is_a(noun, "sport"):
        return True
    return lexicon.file_of_noun(noun) not in (None, *UNSEEN_FILES, ACT, COMMUNICATION, EVENT, GROUP)


def is_specific(part: str, name: str) -> bool:
    """Whether a word can be all that two videos have in common: what is done, or a thing that is no person or body."""
    if part == "verb":
        return name.split(" ")[0] not in VAGUE_VERBS
    lexicon = read_lexicon()
    is_thing = part == "noun" and name not in VAGUE and name not in ALWAYS_THERE
    return is_thing and lexicon.classes(name).isdisjoint(("person", "body"))

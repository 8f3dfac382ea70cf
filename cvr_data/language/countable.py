"""Which nouns an "a" stands before.

Source: lemminflect (MIT, https://github.com/bjascob/LemmInflect), whose plurals are those of the SPECIALIST lexicon: a
noun that is its own plural there can be uncounted. Of nouns that can be both, WordNet's files tell.
"""

from functools import lru_cache

from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.naming import head_of

MASS = (7, 12, 13, 19, 22, 26, 27)
"""WordNet's files of what is not counted: attribute, feeling, food, phenomenon, process, state, substance."""
ANIMAL, FOOD = 5, 13
NAMED = (15, 17)
"""WordNet's files of locations and of natural objects: towns, countries, continents."""
UNCOUNTED = frozenset(
    "advice anime architecture art arugula bamboo bark beef blood cereal clover corn cotton cream damage equipment "
    "fabric felt foil food garlic graffiti grass hair heather information ivy kale lace laundry lavender lettuce "
    "lightning linen literature lotion machinery mail makeup mint money moss nature oil packaging paint pasta "
    "plywood pollution pottery rice salmon sandpaper scenery silk soap software technology text tupperware vegetation "
    "velvet wheat wood wool work yarn".split()
)
"""Nouns that no article "a" stands before, whatever they mean, beside those that have no plural."""
ONES = frozenset(
    "background baguette biscuit board burger burrito cake cloud cocktail dessert drink effect egg flame flare glass "
    "hotdog lightbulb meal meeting mixture pie pizza reflection salad sausage shadow sky sponge steak waffle".split()
)
"""Nouns of the files of masses that it stands before, beside those that are only counted."""
SINGULAR_ENDS = ("ss", "us", "is", "as", "os", "ens")
"""Ends of singular nouns in -s: glass, cactus, iris, canvas, lens."""


@lru_cache(maxsize=16_384)
def noun_is_counted(lemma: str) -> bool | None:
    """Return whether a noun is only counted (lily) or never (furniture); None if it may be both, or is unknown."""
    from lemminflect import getAllInflections

    plurals = set(getAllInflections(lemma, upos="NOUN").get("NNS", ()))
    if not plurals:
        return None
    if lemma not in plurals:
        return True
    return False if plurals == {lemma} else None


@lru_cache(maxsize=16_384)
def is_uncounted(word: str, lemma: str) -> bool:
    """Whether no "a" stands before a noun: a mass, a name, or one that only has a plural."""
    lexicon = read_lexicon()
    if lemma in ONES:
        return False
    if lemma in UNCOUNTED or not lexicon.has(head_of(lemma), "noun"):
        return True
    if word.endswith("s") and not word.endswith(SINGULAR_ENDS) and word == lemma:
        return lexicon.singular_of(word) is not None or noun_is_counted(lemma) is False
    if (
        not lexicon.classes(lemma).isdisjoint(("animal", "vehicle", "carrier"))
        or (known := noun_is_counted(lemma)) is True
    ):
        return False
    if known is False or lexicon.is_a(lemma, "sport"):
        return True
    if any(lexicon.relation(lemma, kind, "noun") == "below" for kind in ("fruit", "vegetable")):
        return False
    return lexicon.file_of_noun(lemma) in MASS or _first_file(lemma) in MASS or _is_doing(word)


def _is_doing(word: str) -> bool:
    """Whether a noun in -ing is no thing: "cooking", not "a painting"."""
    return word.endswith("ing") and read_lexicon().is_abstract(word)


def _first_file(lemma: str) -> int | None:
    """Return WordNet's file of the most frequent meaning of a noun."""
    return next(iter(read_lexicon().files(lemma)), None)


@lru_cache(maxsize=16_384)
def is_place_name(lemma: str) -> bool:
    """Whether a noun names one place: "africa", "germany"; such have no plural and no other inflection."""
    from lemminflect import getAllInflections

    return _first_file(head_of(lemma)) in NAMED and not getAllInflections(head_of(lemma))


@lru_cache(maxsize=16_384)
def is_eaten(lemma: str) -> bool:
    """Whether a noun names an animal, and the food that it is: shrimp."""
    lexicon = read_lexicon()
    is_fruit = any(lexicon.is_kind(lemma, kind) for kind in ("fruit", "vegetable"))
    return {ANIMAL, FOOD} <= {*lexicon.files(lemma)} and not is_fruit

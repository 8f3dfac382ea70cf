"""Which noun of a parsed caption tells where something is: a place with which nothing is done."""

from cvr_data.language.closed_words import GROUNDS, PLACE_WORDS, POSTURES, TOPIC_PREPOSITIONS
from cvr_data.language.lexicon import Lexicon
from cvr_data.language.nouns import compound_noun_name, governor, preposition
from cvr_data.language.parse import Sentence

HANDLED = frozenset((30, 34, 35, 36, 40))
"""WordNet's files of verbs that take a thing: change, consumption, contact, creation, possession."""
BACKGROUND = ("in", "the", "background")
MOTION = 38
"""WordNet's file of verbs of motion."""


def is_place(sentence: Sentence, word: int, lexicon: Lexicon) -> bool:
    """Whether a noun is where something is: a place with which nothing is done, or a vehicle that someone is in."""
    lemma = compound_noun_name(sentence, word, lexicon)
    top = governor(sentence, word)
    at = preposition(sentence, word)
    if lemma in GROUNDS and at is not None:
        return sentence.words[at] in ("on", "in", "through", "across") and not _is_put(sentence, at, lexicon)
    if lemma == "water" and at is not None and sentence.child(word, "det") is not None:
        return sentence.words[at] != "of" and not _is_put(sentence, at, lexicon)
    if sentence.words[word] in PLACE_WORDS and (at is not None or sentence.words[word] != "nature"):
        return True
    if lexicon.is_a(lemma, "place"):
        if sentence.words[word + 1 : word + 2] == ("behind",) or sentence.words[word + 1 : word + 4] == BACKGROUND:
            return True
        if at is not None:
            return sentence.words[at] not in ("with", "for", "like", "as", *TOPIC_PREPOSITIONS)
        verb = sentence.heads[top]
        return not (sentence.deps[top] == "dobj" and lexicon.file_of_verb(sentence.lemmas[verb]) in HANDLED)
    if at is not None and sentence.words[at] == "in" and _is_in_it(sentence, at, lemma, lexicon):
        return True
    if at is None or not lexicon.is_a(lemma, "vehicle"):
        return False
    prepositions = ("in", "inside", "on", "aboard") if lexicon.is_a(lemma, "carrier") else ("in", "inside")
    return sentence.words[at] in prepositions and not _is_put(sentence, at, lexicon)


def _is_in_it(sentence: Sentence, at: int, noun: str, lexicon: Lexicon) -> bool:
    """Whether somebody stands or moves in what can be a place: sheep in a pen."""
    verb = sentence.heads[at]
    moves = sentence.lemmas[verb] in POSTURES or lexicon.file_of_verb(sentence.lemmas[verb]) == MOTION
    small = ("container", "furniture", "clothing", "vehicle", "food", "body", "material")
    is_large = lexicon.may_be(noun, "place") and lexicon.classes(noun).isdisjoint(small)
    return moves and is_large and sentence.tags[verb].startswith("VB") and sentence.child(verb, "dobj") is None


def _is_put(sentence: Sentence, at: int, lexicon: Lexicon) -> bool:
    """Whether a preposition tells where something is put, or what is done with it there."""
    verb = sentence.heads[at]
    return sentence.tags[verb].startswith("VB") and lexicon.file_of_verb(sentence.lemmas[verb]) in HANDLED

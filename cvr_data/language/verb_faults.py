"""Verbs of captions that a small parser takes for nouns, mended: "singer steps onto", "the camera pans away"."""

from cvr_data.language.lexicon import Lexicon
from cvr_data.language.tree import (
    BREAKS,
    NOUNS,
    PEOPLE_BY_LETTER,
    Tree,
    can_act,
    has_verb,
    replace_parse_tree_head,
    stem_of,
)

MODIFIERS = frozenset(("compound", "amod", "det", "nummod", "poss", "nmod", "advmod", "quantmod"))
AFTER_VERB = frozenset(("IN", "RP", "TO", "DT", "PRP$", "RB", "PRP", "VBG", ".", ",", "CC"))
INSIDE = frozenset(("NN", "NNP", "JJ", "CD", "VBN", "VBD", "DT"))
DEFINITE = ("the", "this", "that")
SURELY = 2
"""A word is a verb that is one so many times as often as it is a noun or an adjective."""


def is_verb_between(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a plural between someone and a noun is what that does with it: "lady grabs menu"."""
    head = tree.heads[word]
    if tree.tags[word] != "NNS" or head != word + 1 or tree.heads[word - 1] not in (word, head):
        return False
    stem = stem_of(tree.words[word], lexicon)
    is_more_verb = lexicon.frequency(stem, "verb") > lexicon.frequency(stem, "noun")
    return is_more_verb and tree.tags[word - 1] in NOUNS and can_act(tree.words[word - 1], lexicon)


def mend_first_word_verb(tree: Tree, lexicon: Lexicon) -> None:
    """Make the first word of a caption without a verb the verb that it mostly is, of what follows: "grab pot"."""
    if len(tree.words) < 2 or any(tag.startswith(("VB", "MD")) for tag in tree.tags) or tree.heads[0] == 0:
        return
    others = lexicon.frequency(tree.words[0], "noun") + lexicon.frequency(tree.words[0], "adj")
    if tree.tags[0] in ("NN", "JJ") and lexicon.frequency(tree.words[0], "verb") > SURELY * others:
        thing = tree.heads[0]
        for child in range(1, len(tree.words)):
            if tree.heads[child] == thing and child > thing:
                tree.heads[child] = 0
        tree.heads[0], tree.deps[0], tree.tags[0] = 0, "ROOT", "VB"
        tree.heads[thing], tree.deps[thing] = 0, "dobj"


def mend_direction_adverb(tree: Tree, word: int) -> None:
    """Make "left" after a participle no thing but where it goes: "a car drifting left"."""
    verb, noun = word - 1, word - 2
    if tree.words[word] not in ("left", "right") or not tree.words[verb].endswith("ing"):
        return
    if tree.heads[verb] == word:
        replace_parse_tree_head(tree, verb, word, "advmod")
    elif tree.heads[word] != verb:
        return
    tree.tags[word], tree.deps[word], tree.tags[verb] = "RB", "advmod", "VBG"
    if noun >= 0 and tree.tags[noun] in NOUNS and tree.heads[noun] == verb:
        replace_parse_tree_head(tree, noun, verb, "acl")


def must_be_verb(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a plural after a singular is what that does: "singer steps onto", not "baby clothes"."""
    if tree.tags[word - 1] == "WDT":
        return True
    following = tree.tags[word + 1] if word + 1 < len(tree.words) else "."
    is_after_noun = tree.tags[word - 1] in ("NN", "NNP") and tree.heads[word - 1] == word
    stem = stem_of(tree.words[word], lexicon)
    if not is_after_noun or following not in AFTER_VERB or not lexicon.frequency(stem, "verb"):
        return False
    subject, first = tree.words[word - 1], _start_of_noun(tree, word - 1)
    if has_verb(tree, word) or tree.words[word + 1 : word + 2] == ["of"]:
        return False
    if subject == "camera" or subject in PEOPLE_BY_LETTER or tree.words[first] in ("a", "an"):
        return True
    if lexicon.is_a(subject, "person"):
        return tree.words[first] in (*DEFINITE, subject) or _is_moved(following)
    is_mostly_verb = lexicon.frequency(stem, "verb") > lexicon.frequency(stem, "noun")
    is_clause = tree.words[first] in DEFINITE and (is_mostly_verb or _opens_clause(tree, first))
    return is_clause or (_is_moved(following) and can_act(subject, lexicon))


def _start_of_noun(tree: Tree, noun: int) -> int:
    """Return where the words begin that belong to a noun, its article counted."""
    first = noun
    while first and tree.tags[first - 1] in INSIDE and tree.tags[first] != "DT":
        first -= 1
    return first


def _opens_clause(tree: Tree, first: int) -> bool:
    """Whether what begins at a word hangs on no preposition and no verb before it."""
    before = first - 1
    return before < 0 or tree.words[before] in BREAKS or tree.tags[before] in NOUNS


def _is_moved(following: str) -> bool:
    """Whether the tag after a word is of what can tell where it goes, or what it is done with."""
    return following in ("IN", "RP", "RB", "DT", "PRP$", "TO")


def is_plural_verb(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a base form after a group of people is what these do: "a couple embrace on a bed"."""
    subject = tree.words[word - 1]
    if tree.heads[word - 1] != word or tree.deps[word - 1] not in ("compound", "nsubj") or tree.heads[word] != word:
        return False
    if not {"person", "group"} <= lexicon.classes(subject) or tree.tags[word + 1 : word + 2] == ["NN"]:
        return False
    return lexicon.frequency(tree.words[word], "verb") > lexicon.frequency(tree.words[word], "noun")


def noun_to_verb(tree: Tree, word: int, tag: str) -> None:
    """Make a noun the verb of the noun before it, which takes what modified it."""
    tree.tags[word] = tag
    for child in range(word):
        if tree.heads[child] == word and child != word - 1 and tree.deps[child] in MODIFIERS:
            tree.heads[child] = word - 1
    tree.deps[word - 1] = "nsubj"


def is_participle(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a "noun" in -ing tells what the noun before it does: no noun of the lexicon, or one with an object."""
    if tree.tags[word] not in ("NN", "NNP") or not tree.words[word].endswith("ing") or tree.tags[word - 1] not in NOUNS:
        return False
    if tree.heads[word - 1] != word and tree.heads[word] != word - 1:
        return False
    following = tree.tags[word + 1] if word + 1 < len(tree.words) else "."
    following = following if following[0].isalpha() and following not in ("HYPH", "NFP") else "."
    noun, verb = lexicon.frequency(tree.words[word], "noun"), lexicon.verb_of(tree.words[word])
    is_place = lexicon.may_be(tree.words[word], "place") or not verb
    is_actor = can_act(tree.words[word - 1], lexicon)
    if is_place or following in ("DT", "PRP$", "RP"):
        return not is_place
    return (following in ("IN", "RB", "TO") and (is_actor or not noun)) or (following in (".", ",", "CC") and is_actor)


def has_object(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a participle between someone and a noun is what that does with it: "child washing hands"."""
    head, before = tree.heads[word], word - 1
    is_subject = tree.deps[before] == "nsubj" and tree.heads[before] == word
    if tree.deps[word] not in ("amod", "compound") or head <= word:
        return False
    if not is_subject and not can_act(tree.words[before], lexicon):
        return False
    is_verb = tree.tags[word] == "VBG" or (tree.words[word].endswith("ing") and lexicon.verb_of(tree.words[word]))
    return bool(is_verb) and tree.heads[before] in (word, head) and tree.tags[before] in NOUNS


def participle_to_clause(tree: Tree, word: int, tag: str = "VBG") -> None:
    """Make the noun before a participle the head, and the one after it its object."""
    noun, thing = word - 1, tree.heads[word]
    tree.heads[noun] = noun if tree.heads[thing] == thing else tree.heads[thing]
    tree.deps[noun] = tree.deps[thing]
    for child in range(noun):
        if tree.heads[child] == thing:
            tree.heads[child] = noun
    tree.heads[word], tree.deps[word], tree.tags[word] = noun, "acl", tag
    tree.heads[thing], tree.deps[thing] = word, "dobj"


def hang_participle_on_noun(tree: Tree, word: int) -> None:
    """Hang a participle on the noun before it, which takes its place and its modifiers."""
    noun = word - 1
    tree.tags[word] = "VBG"
    if tree.heads[noun] == word:
        tree.heads[noun] = noun if tree.heads[word] == word else tree.heads[word]
        tree.deps[noun] = tree.deps[word]
        for child in range(noun):
            if tree.heads[child] == word and tree.deps[child] in MODIFIERS:
                tree.heads[child] = noun
        tree.heads[word] = noun
    tree.deps[word] = "acl"

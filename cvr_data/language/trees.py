"""The faults that a small parser makes in captions, mended where grammar and the lexicon are sure.

A plural that must be a verb ("singer steps onto", "the camera pans away") becomes one, with the noun before it as its
subject; a participle that was taken for a noun after what it tells of ("a ring vanishing at") becomes one.
"""

from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.noun_faults import (
    can_be_verb,
    free_from_film,
    is_colour_before,
    is_in_compound,
    is_only_adjective,
    mend_apposition,
    mend_background,
    mend_noun,
    mend_particle,
)
from cvr_data.language.tree import Tree, has_verb, take_place
from cvr_data.language.verb_faults import (
    has_object,
    is_participle,
    is_plural_verb,
    is_verb_between,
    make_clause,
    make_participle,
    make_verb,
    mend_direction,
    mend_order,
    must_be_verb,
)

AUXILIARIES = frozenset("am are be been do does has have is was were".split())
ARTICLES = ("a", "an", "the")


def repaired_tree(tree: Tree) -> Tree:
    """Return the tree with what it must have wrong set right."""
    lexicon = read_lexicon()
    free_from_film(tree)
    for word, text in enumerate(tree.words):
        is_thing = (
            tree.tags[word].startswith("JJ")
            and tree.deps[word] in ("pobj", "dobj")
            and tree.words[word - 1] in ARTICLES
        )
        if (is_thing or tree.tags[word] in ("FW", "UH")) and lexicon.has(text, "noun"):
            tree.tags[word] = "NN"
        if tree.tags[word] in ("VB", "VBP", "VBZ") and text not in AUXILIARIES and not can_be_verb(tree, word, lexicon):
            tree.tags[word] = "NNS" if tree.tags[word] == "VBZ" else "NN"
        if is_in_compound(tree, word, lexicon):
            take_place(tree, word + 1, word, "compound")
            tree.tags[word] = "NN"
        if is_colour_before(tree, word, lexicon):
            tree.tags[word] = "JJ"
        if tree.tags[word] == "NN" and tree.deps[word] in ("amod", "compound") and is_only_adjective(text, lexicon):
            tree.tags[word] = "JJ"
    for word in range(1, len(tree.words)):
        mend_noun(tree, word)
        mend_background(tree, word, lexicon)
        mend_apposition(tree, word)
        mend_direction(tree, word)
        if tree.tags[word] == "RP":
            mend_particle(tree, word)
        if is_verb_between(tree, word, lexicon):
            make_clause(tree, word, "VBZ")
    mend_order(tree, lexicon)
    for word in range(1, len(tree.words)):
        if tree.tags[word] in ("NNS", "NNPS") and must_be_verb(tree, word, lexicon):
            make_verb(tree, word, "VBZ")
        elif tree.tags[word] == "NN" and not has_verb(tree, word) and is_plural_verb(tree, word, lexicon):
            make_verb(tree, word, "VBP")
        elif is_participle(tree, word, lexicon):
            make_participle(tree, word)
        elif has_object(tree, word, lexicon):
            make_clause(tree, word)
    return tree

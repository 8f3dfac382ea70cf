"""The faults that a small parser makes in captions, mended where grammar and the lexicon are sure.

A plural that must be a verb ("singer steps onto", "the camera pans away") becomes one, with the noun before it as its
subject; a participle that was taken for a noun after what it tells of ("a ring vanishing at") becomes one.
"""

from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.noun_faults import (
    can_be_verb,
    is_colour_before,
    is_in_compound,
    is_only_adjective,
    mend_background_noun,
    mend_close_up_verb,
    mend_parsed_apposition,
    mend_parsed_noun,
    mend_verb_particle,
)
from cvr_data.language.tree import Tree, has_verb, replace_parse_tree_head
from cvr_data.language.verb_faults import (
    hang_participle_on_noun,
    has_object,
    is_participle,
    is_plural_verb,
    is_verb_between,
    mend_direction_adverb,
    mend_first_word_verb,
    must_be_verb,
    noun_to_verb,
    participle_to_clause,
)

AUXILIARIES = frozenset("am are be been do does has have is was were".split())
ARTICLES = ("a", "an", "the")


def repaired_tree(tree: Tree) -> Tree:
    """Return the tree with what it must have wrong set right."""
    lexicon = read_lexicon()
    mend_close_up_verb(tree)
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
            replace_parse_tree_head(tree, word + 1, word, "compound")
            tree.tags[word] = "NN"
        if is_colour_before(tree, word, lexicon):
            tree.tags[word] = "JJ"
        if tree.tags[word] == "NN" and tree.deps[word] in ("amod", "compound") and is_only_adjective(text, lexicon):
            tree.tags[word] = "JJ"
    for word in range(1, len(tree.words)):
        mend_parsed_noun(tree, word)
        mend_background_noun(tree, word, lexicon)
        mend_parsed_apposition(tree, word)
        mend_direction_adverb(tree, word)
        if tree.tags[word] == "RP":
            mend_verb_particle(tree, word)
        if is_verb_between(tree, word, lexicon):
            participle_to_clause(tree, word, "VBZ")
    mend_first_word_verb(tree, lexicon)
    for word in range(1, len(tree.words)):
        if tree.tags[word] in ("NNS", "NNPS") and must_be_verb(tree, word, lexicon):
            noun_to_verb(tree, word, "VBZ")
        elif tree.tags[word] == "NN" and not has_verb(tree, word) and is_plural_verb(tree, word, lexicon):
            noun_to_verb(tree, word, "VBP")
        elif is_participle(tree, word, lexicon):
            hang_participle_on_noun(tree, word)
        elif has_object(tree, word, lexicon):
            participle_to_clause(tree, word)
    return tree

"""Nouns of captions that a small parser takes for verbs, objects or other things, mended."""

from cvr_data.language.lexicon import Lexicon, read_lexicon
from cvr_data.language.tree import NOUNS, Tree, has_subject, replace_parse_tree_head, stem_of

OBJECTS = ("dobj", "npadvmod", "nsubj")
"""What a noun right after a noun is taken for, where the first qualifies it."""


def can_be_verb(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a word that was taken for a verb is listed as one, or not listed at all."""
    text = tree.words[word]
    stem = text if tree.tags[word] != "VBZ" else lexicon.singular_of(text) or text
    return lexicon.has(stem_of(text, lexicon), "verb") or lexicon.has(text, "verb") or not lexicon.has(stem, "noun")


def is_in_compound(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a participle and the noun that seems its object are one thing: "put chopping board"."""
    if tree.tags[word] != "VBG" or tree.tags[word + 1 : word + 2] not in (["NN"], ["NNS"]):
        return False
    return tree.heads[word + 1] == word and lexicon.has(f"{tree.words[word]} {tree.words[word + 1]}", "noun")


def is_colour_before(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a colour that was taken for a thing stands before what has it: "the blue spotted heart"."""
    text, following = tree.words[word], tree.tags[word + 1 : word + 3]
    is_before = following[:1] in (["NN"], ["NNS"]) or (following[:1] in (["JJ"], ["VBN"]) and following[1:] == ["NN"])
    if tree.tags[word] not in NOUNS or not is_before or not lexicon.may_be(text, "colour"):
        return False
    return lexicon.frequency(text, "adj") > lexicon.frequency(text, "noun")


def is_only_adjective(word: str, lexicon: Lexicon) -> bool:
    """Whether a word is listed as an adjective and not as a noun."""
    return lexicon.has(word, "adj") and not lexicon.has(word, "noun")


def mend_parsed_noun(tree: Tree, word: int) -> None:
    """Give a noun that was taken for the object of a noun or of a participle what stands before it as its modifier.

    "headset icon" and "reticulated python" have no verb; nor has "green leaves", as no verb has an adjective before it.
    """
    before = word - 1
    is_object = tree.deps[word] in OBJECTS and tree.heads[word] == before and tree.tags[word] in NOUNS
    is_participle = tree.tags[before] in ("VBN", "VBD") and tree.words[before].endswith("ed")
    if is_object and tree.tags[before] in NOUNS:
        replace_parse_tree_head(tree, word, before, "compound")
    elif is_object and tree.deps[word] == "dobj" and is_participle and not has_subject(tree, before):
        replace_parse_tree_head(tree, word, before, "amod")
    elif _is_described(tree, word):
        tree.tags[word] = "NNS" if tree.tags[word] == "VBZ" else "NN"
        tree.deps[before] = "amod"
    elif tree.words[word] == "leaves" and tree.tags[word] == "VBZ" and "DT" not in tree.tags[:word]:
        _make_head_noun(tree, word)  # "oak leaves": without an article a tree does not leave


def _is_described(tree: Tree, word: int) -> bool:
    """Whether a "verb" has an adjective before it that hangs on it: "pink rose"."""
    before = word - 1
    if tree.heads[before] != word:
        return False
    if tree.tags[word] == "VBZ" and tree.deps[before] in ("amod", "compound", "det"):
        return True
    is_verb = tree.tags[word] in ("VBD", "VBP", "VB") and read_lexicon().has(tree.words[word], "noun")
    return is_verb and tree.tags[before] == "JJ" and tree.deps[before] in ("amod", "advmod")


def mend_parsed_apposition(tree: Tree, word: int) -> None:
    """Make a noun that stands right before what seems to explain it its modifier: "helicopter hud motion graphics"."""
    noun = word - 1
    is_chain = tree.tags[noun] in NOUNS and all(tag in NOUNS for tag in tree.tags[noun : word + 1])
    last = word
    while is_chain and last + 1 < len(tree.words) and tree.tags[last + 1] in (*NOUNS, "JJ"):
        last += 1
    if is_chain and tree.heads[last] == noun and tree.deps[last] in ("appos", "dep") and tree.tags[last] in NOUNS:
        replace_parse_tree_head(tree, last, noun, "compound")


def mend_verb_particle(tree: Tree, word: int) -> None:
    """Make a "particle" before the second of two objects the preposition of that: "performs a throw in an area"."""
    verb = tree.heads[word]
    things = [child for child, head in enumerate(tree.heads) if head == verb and tree.deps[child] == "dobj"]
    if len(things) == 2 and things[0] < word < things[1]:
        tree.tags[word], tree.deps[word] = "IN", "prep"
        tree.heads[things[1]], tree.deps[things[1]] = word, "pobj"


def mend_close_up_verb(tree: Tree) -> None:
    """Make "close up" no verb: what seemed its object stands alone ("close up eyes")."""
    for word in range(len(tree.words) - 1):
        is_said = tree.words[word] == "close" and tree.words[word + 1] == "up"
        if not is_said or tree.tags[word + 2 : word + 3] in (["DT"], ["PRP$"]):
            continue
        for child, head in enumerate(tree.heads):
            if head == word and tree.deps[child] == "dobj":
                tree.heads[child], tree.deps[child] = child, "ROOT"
                tree.heads[word] = child
                tree.deps[word] = "nmod"
        tree.tags[word], tree.tags[word + 1] = "XX", "XX"
        before = word - 1
        if before >= 1 and tree.tags[before] in ("VBZ", "VBP") and tree.heads[word] == before:
            _make_head_noun(tree, before)


def _make_head_noun(tree: Tree, word: int) -> None:
    """Make a "verb" before a word for the film the noun that it is: "oak leaves close up"."""
    subject = word - 1
    if tree.deps[subject] != "nsubj" or tree.heads[subject] != word or "DT" in tree.tags[:word]:
        return
    tree.tags[word] = "NNS"
    tree.deps[subject] = "compound"


def mend_background_noun(tree: Tree, word: int, lexicon: Lexicon) -> None:
    """Make a colour between "on" and a sign what "on" has as its object: "isolated on black (full hd)"."""
    following = tree.words[word + 1 : word + 2]
    is_last = not following or not following[0][:1].isalnum()
    if is_last and tree.words[word - 1] in ("on", "against") and lexicon.may_be(tree.words[word], "colour"):
        tree.heads[word], tree.deps[word], tree.tags[word] = word - 1, "pobj", "NN"

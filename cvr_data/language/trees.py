"""The faults that a small parser makes in captions, mended where grammar and the lexicon are sure.

A plural that must be a verb ("singer steps onto", "the camera pans away") becomes one, with the noun before it as its
subject; a participle that was taken for a noun after what it tells of ("a ring vanishing at") becomes one.
"""

from dataclasses import dataclass

from cvr_data.language.lexicon import Lexicon, read_lexicon

NOUNS = frozenset(("NN", "NNS", "NNP", "NNPS"))
FINITE = frozenset(("VBZ", "VBP", "VBD", "MD"))
MODIFIERS = frozenset(("compound", "amod", "det", "nummod", "poss", "nmod", "advmod", "quantmod"))
AFTER_VERB = frozenset(("IN", "RP", "TO", "DT", "PRP$", "RB", "PRP", "VBG", ".", ",", "CC"))
BREAKS = frozenset(("while", "and", "as", "that", "which", "who", ",", ".", ";"))
"""Words that a clause ends before."""
INSIDE = frozenset(("NN", "NNP", "JJ", "CD", "VBN", "VBD", "DT"))
DEFINITE = ("the", "this", "that")
ARTICLES = ("a", "an", "the")
PEOPLE_BY_LETTER = frozenset("c")
"""Who wears the camera in the narrations of Ego4D: "C picks a cup"."""
SURELY = 2
"""A word is a verb that is one so many times as often as it is a noun or an adjective."""
ACTORS = ("person", "animal", "vehicle")


@dataclass
class Tree:
    """The words of a caption with their tags, dependencies and the number of the word each depends on."""

    words: list[str]
    tags: list[str]
    deps: list[str]
    heads: list[int]


def repaired_tree(tree: Tree) -> Tree:
    """Return the tree with what it must have wrong set right."""
    lexicon = read_lexicon()
    _free_from_film(tree)
    for word, text in enumerate(tree.words):
        is_thing = (
            tree.tags[word].startswith("JJ")
            and tree.deps[word] in ("pobj", "dobj")
            and tree.words[word - 1] in ARTICLES
        )
        if (is_thing or tree.tags[word] in ("FW", "UH")) and lexicon.has(text, "noun"):
            tree.tags[word] = "NN"
        if _is_in_compound(tree, word, lexicon):
            _take_place(tree, word + 1, word, "compound")
            tree.tags[word] = "NN"
        if _is_colour_before(tree, word, lexicon):
            tree.tags[word] = "JJ"
        if tree.tags[word] == "NN" and tree.deps[word] in ("amod", "compound") and _is_only_adjective(text, lexicon):
            tree.tags[word] = "JJ"
    for word in range(1, len(tree.words)):
        _mend_noun(tree, word)
        _mend_apposition(tree, word)
        _mend_direction(tree, word)
        if tree.tags[word] == "RP":
            _mend_particle(tree, word)
        if _is_verb_between(tree, word, lexicon):
            _make_clause(tree, word, "VBZ")
    _mend_order(tree, lexicon)
    for word in range(1, len(tree.words)):
        if tree.tags[word] in ("NNS", "NNPS") and _must_be_verb(tree, word, lexicon):
            _make_verb(tree, word, "VBZ")
        elif tree.tags[word] == "NN" and not _has_verb(tree, word) and _is_plural_verb(tree, word, lexicon):
            _make_verb(tree, word, "VBP")
        elif _is_participle(tree, word, lexicon):
            _make_participle(tree, word)
        elif _has_object(tree, word, lexicon):
            _make_clause(tree, word)
    return tree


def _is_in_compound(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a participle and the noun that seems its object are one thing: "put chopping board"."""
    if tree.tags[word] != "VBG" or tree.tags[word + 1 : word + 2] not in (["NN"], ["NNS"]):
        return False
    return tree.heads[word + 1] == word and lexicon.has(f"{tree.words[word]} {tree.words[word + 1]}", "noun")


def _is_verb_between(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a plural between someone and a noun is what that does with it: "lady grabs menu"."""
    head = tree.heads[word]
    if tree.tags[word] != "NNS" or head != word + 1 or tree.heads[word - 1] not in (word, head):
        return False
    stem = _stem(tree.words[word], lexicon)
    is_more_verb = lexicon.frequency(stem, "verb") > lexicon.frequency(stem, "noun")
    return is_more_verb and tree.tags[word - 1] in NOUNS and _is_actor(tree.words[word - 1], lexicon)


def _mend_order(tree: Tree, lexicon: Lexicon) -> None:
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


def _is_colour_before(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a colour that was taken for a thing stands before what has it: "the blue spotted heart"."""
    text, following = tree.words[word], tree.tags[word + 1 : word + 3]
    is_before = following[:1] in (["NN"], ["NNS"]) or (following[:1] in (["JJ"], ["VBN"]) and following[1:] == ["NN"])
    if tree.tags[word] not in NOUNS or not is_before or not lexicon.may_be(text, "colour"):
        return False
    return lexicon.frequency(text, "adj") > lexicon.frequency(text, "noun")


def _is_only_adjective(word: str, lexicon: Lexicon) -> bool:
    return lexicon.has(word, "adj") and not lexicon.has(word, "noun")


def _mend_noun(tree: Tree, word: int) -> None:
    """Give a noun that was taken for the object of a noun or of a participle what stands before it as its modifier.

    "headset icon" and "reticulated python" have no verb; nor has "green leaves", as no verb has an adjective before it.
    """
    before = word - 1
    is_object = tree.deps[word] == "dobj" and tree.heads[word] == before and tree.tags[word] in NOUNS
    is_qualified = is_object and (
        tree.tags[before] in NOUNS
        or (
            tree.tags[before] in ("VBN", "VBD") and not _has_subject(tree, before) and tree.words[before].endswith("ed")
        )
    )
    if is_qualified:
        _take_place(tree, word, before, "compound" if tree.tags[before] in NOUNS else "amod")
    elif tree.tags[word] == "VBZ" and tree.deps[before] in ("amod", "compound", "det") and tree.heads[before] == word:
        tree.tags[word] = "NNS"
    elif tree.words[word] == "leaves" and tree.tags[word] == "VBZ" and "DT" not in tree.tags[:word]:
        _make_head_noun(tree, word)  # "oak leaves": without an article a tree does not leave


def _mend_apposition(tree: Tree, word: int) -> None:
    """Make a noun that stands right before what seems to explain it its modifier: "helicopter hud motion graphics"."""
    noun = word - 1
    is_chain = tree.tags[noun] in NOUNS and all(tag in NOUNS for tag in tree.tags[noun : word + 1])
    last = word
    while is_chain and last + 1 < len(tree.words) and tree.tags[last + 1] in (*NOUNS, "JJ"):
        last += 1
    if is_chain and tree.heads[last] == noun and tree.deps[last] in ("appos", "dep") and tree.tags[last] in NOUNS:
        _take_place(tree, last, noun, "compound")


def _mend_direction(tree: Tree, word: int) -> None:
    """Make "left" after a participle no thing but where it goes: "a car drifting left"."""
    verb, noun = word - 1, word - 2
    if tree.words[word] not in ("left", "right") or not tree.words[verb].endswith("ing"):
        return
    if tree.heads[verb] == word:
        _take_place(tree, verb, word, "advmod")
    elif tree.heads[word] != verb:
        return
    tree.tags[word], tree.deps[word], tree.tags[verb] = "RB", "advmod", "VBG"
    if noun >= 0 and tree.tags[noun] in NOUNS and tree.heads[noun] == verb:
        _take_place(tree, noun, verb, "acl")


def _mend_particle(tree: Tree, word: int) -> None:
    """Make a "particle" before the second of two objects the preposition of that: "performs a throw in an area"."""
    verb = tree.heads[word]
    things = [child for child, head in enumerate(tree.heads) if head == verb and tree.deps[child] == "dobj"]
    if len(things) == 2 and things[0] < word < things[1]:
        tree.tags[word], tree.deps[word] = "IN", "prep"
        tree.heads[things[1]], tree.deps[things[1]] = word, "pobj"


def _has_subject(tree: Tree, word: int) -> bool:
    return any(
        head == word and dep.startswith(("nsubj", "aux")) for head, dep in zip(tree.heads, tree.deps, strict=True)
    )


def _take_place(tree: Tree, word: int, head: int, dep: str) -> None:
    """Hang a head on a word that hung on it; the word takes its place and all else that hung there."""
    for child in range(len(tree.words)):
        if tree.heads[child] == head and child not in (word, head):
            tree.heads[child] = word
    tree.heads[word] = word if tree.heads[head] == head else tree.heads[head]
    tree.deps[word] = tree.deps[head]
    tree.heads[head], tree.deps[head] = word, dep


def _must_be_verb(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a plural after a singular is what that does: "singer steps onto", not "baby clothes"."""
    if tree.tags[word - 1] == "WDT":
        return True
    following = tree.tags[word + 1] if word + 1 < len(tree.words) else "."
    is_after_noun = tree.tags[word - 1] in ("NN", "NNP") and tree.heads[word - 1] == word
    stem = _stem(tree.words[word], lexicon)
    if not is_after_noun or following not in AFTER_VERB or not lexicon.frequency(stem, "verb"):
        return False
    subject, first = tree.words[word - 1], _start_of_noun(tree, word - 1)
    if _has_verb(tree, word) or tree.words[word + 1 : word + 2] == ["of"]:
        return False
    if subject == "camera" or subject in PEOPLE_BY_LETTER or tree.words[first] in ("a", "an"):
        return True
    if lexicon.is_a(subject, "person"):
        return tree.words[first] in (*DEFINITE, subject) or _is_moved(following)
    is_mostly_verb = lexicon.frequency(stem, "verb") > lexicon.frequency(stem, "noun")
    is_clause = tree.words[first] in DEFINITE and (is_mostly_verb or _opens_clause(tree, first))
    return is_clause or (_is_moved(following) and _is_actor(subject, lexicon))


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


def _has_verb(tree: Tree, word: int) -> bool:
    """Whether the clause that a word is in has a verb."""
    first = last = word
    while first and tree.words[first - 1] not in BREAKS:
        first -= 1
    while last + 1 < len(tree.words) and tree.words[last + 1] not in BREAKS:
        last += 1
    tags = [tree.tags[at] for at in range(first, last + 1) if at != word]
    return any(tag in FINITE for tag in tags) or tree.tags[:1] == ["VB"]


def _is_plural_verb(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a base form after a group of people is what these do: "a couple embrace on a bed"."""
    subject = tree.words[word - 1]
    if tree.heads[word - 1] != word or tree.deps[word - 1] not in ("compound", "nsubj") or tree.heads[word] != word:
        return False
    if not {"person", "group"} <= lexicon.classes(subject) or tree.tags[word + 1 : word + 2] == ["NN"]:
        return False
    return lexicon.frequency(tree.words[word], "verb") > lexicon.frequency(tree.words[word], "noun")


def _free_from_film(tree: Tree) -> None:
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


def _stem(word: str, lexicon: Lexicon) -> str:
    for end in ("s", "es"):
        if word.endswith(end) and lexicon.has(word[: -len(end)], "verb"):
            return word[: -len(end)]
    return word[:-3] + "y" if word.endswith("ies") else word


def _make_verb(tree: Tree, word: int, tag: str) -> None:
    """Make a noun the verb of the noun before it, which takes what modified it."""
    tree.tags[word] = tag
    for child in range(word):
        if tree.heads[child] == word and child != word - 1 and tree.deps[child] in MODIFIERS:
            tree.heads[child] = word - 1
    tree.deps[word - 1] = "nsubj"


def _is_participle(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a "noun" in -ing tells what the noun before it does: no noun of the lexicon, or one with an object."""
    if tree.tags[word] not in ("NN", "NNP") or not tree.words[word].endswith("ing") or tree.tags[word - 1] not in NOUNS:
        return False
    if tree.heads[word - 1] != word and tree.heads[word] != word - 1:
        return False
    following = tree.tags[word + 1] if word + 1 < len(tree.words) else "."
    noun, verb = lexicon.frequency(tree.words[word], "noun"), lexicon.verb_of(tree.words[word])
    is_place = lexicon.may_be(tree.words[word], "place") or not verb
    is_actor = _is_actor(tree.words[word - 1], lexicon)
    if is_place or following in ("DT", "PRP$", "RP"):
        return not is_place
    return (following in ("IN", "RB", "TO") and (is_actor or not noun)) or (following in (".", ",", "CC") and is_actor)


def _is_actor(word: str, lexicon: Lexicon) -> bool:
    return word in PEOPLE_BY_LETTER or any(lexicon.is_a(word, name) for name in ACTORS)


def _has_object(tree: Tree, word: int, lexicon: Lexicon) -> bool:
    """Whether a participle between someone and a noun is what that does with it: "child washing hands"."""
    head, before = tree.heads[word], word - 1
    is_subject = tree.deps[before] == "nsubj" and tree.heads[before] == word
    if tree.deps[word] not in ("amod", "compound") or head <= word:
        return False
    if not is_subject and not _is_actor(tree.words[before], lexicon):
        return False
    is_verb = tree.tags[word] == "VBG" or (tree.words[word].endswith("ing") and lexicon.verb_of(tree.words[word]))
    return bool(is_verb) and tree.heads[before] in (word, head) and tree.tags[before] in NOUNS


def _make_clause(tree: Tree, word: int, tag: str = "VBG") -> None:
    """Make the noun before a participle the head, and the one after it its object."""
    noun, thing = word - 1, tree.heads[word]
    tree.heads[noun] = noun if tree.heads[thing] == thing else tree.heads[thing]
    tree.deps[noun] = tree.deps[thing]
    for child in range(noun):
        if tree.heads[child] == thing:
            tree.heads[child] = noun
    tree.heads[word], tree.deps[word], tree.tags[word] = noun, "acl", tag
    tree.heads[thing], tree.deps[thing] = word, "dobj"


def _make_participle(tree: Tree, word: int) -> None:
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

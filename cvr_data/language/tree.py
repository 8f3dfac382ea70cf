"""The tree of a caption that is mended, and what every mending asks of it."""

from dataclasses import dataclass

from cvr_data.language.lexicon import Lexicon

NOUNS = frozenset(("NN", "NNS", "NNP", "NNPS"))
FINITE = frozenset(("VBZ", "VBP", "VBD", "MD"))
BREAKS = frozenset(("while", "and", "as", "that", "which", "who", ",", ".", ";"))
"""Words that a clause ends before."""
PEOPLE_BY_LETTER = frozenset("c")
"""Who wears the camera in the narrations of Ego4D: "C picks a cup"."""
ACTORS = ("person", "animal", "vehicle")


@dataclass
class Tree:
    """The words of a caption with their tags, dependencies and the number of the word each depends on."""

    words: list[str]
    tags: list[str]
    deps: list[str]
    heads: list[int]


def has_subject(tree: Tree, word: int) -> bool:
    """Whether a word has a subject or an auxiliary of its own."""
    return any(
        head == word and dep.startswith(("nsubj", "aux")) for head, dep in zip(tree.heads, tree.deps, strict=True)
    )


def replace_parse_tree_head(tree: Tree, word: int, head: int, dep: str) -> None:
    """Hang a head on a word that hung on it; the word takes its place and all else that hung there."""
    for child in range(len(tree.words)):
        if tree.heads[child] == head and child not in (word, head):
            tree.heads[child] = word
    tree.heads[word] = word if tree.heads[head] == head else tree.heads[head]
    tree.deps[word] = tree.deps[head]
    tree.heads[head], tree.deps[head] = word, dep


def has_verb(tree: Tree, word: int) -> bool:
    """Whether the clause that a word is in has a verb."""
    first = last = word
    while first and tree.words[first - 1] not in BREAKS:
        first -= 1
    while last + 1 < len(tree.words) and tree.words[last + 1] not in BREAKS:
        last += 1
    tags = [tree.tags[at] for at in range(first, last + 1) if at != word]
    return any(tag in FINITE for tag in tags) or tree.tags[:1] == ["VB"]


def stem_of(word: str, lexicon: Lexicon) -> str:
    """Return the base form of a verb's third person, where the lexicon lists it."""
    for end in ("s", "es"):
        if word.endswith(end) and lexicon.has(word[: -len(end)], "verb"):
            return word[: -len(end)]
    return word[:-3] + "y" if word.endswith("ies") else word


def can_act(word: str, lexicon: Lexicon) -> bool:
    """Whether a noun is someone or something that does things: a person, an animal, a vehicle."""
    return word in PEOPLE_BY_LETTER or any(lexicon.is_a(word, name) for name in ACTORS)

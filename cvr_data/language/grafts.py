"""Two captions that differ in one word have one tree: the likelier of the two that the parser made.

"chest flexing" and "back flexing" are said alike, but the parser takes "back" for an adverb. Which of the two trees
holds is told by the lexicon: how often each of the two words is of the part of speech that the tree gives it.
"""

from collections.abc import Sequence
from dataclasses import replace

from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.parse import Sentence, part_of_tag

KNOWN = {"NOUN": "noun", "VERB": "verb", "ADJ": "adj", "ADV": "adv"}
UNLIKELY = 0.005
"""What a part of speech that the lexicon does not list for a word is worth."""

POOR = 0.02
"""A tree that is worth less fits one of the two words too badly to be given to it."""
ENDINGS = {"VBG": "ing", "VBZ": "s", "VBN": "ed", "VBD": "ed"}


def graft_sentence_word(reference: Sentence, target: Sentence, place: int) -> tuple[Sentence, Sentence]:
    """Return two sentences that differ in the word at `place`, with the likelier tree for both."""
    tags = reference.tags[place], target.tags[place]
    if part_of_tag(tags[0]) == part_of_tag(tags[1]) or "X" in map(part_of_tag, tags):
        return reference, target
    words = reference.words[place], target.words[place]
    worth = [_worth(words[0], tag) * _worth(words[1], tag) for tag in tags]
    if worth[0] == worth[1] or max(worth) < POOR:
        return reference, target
    if worth[0] > worth[1]:
        return reference, _with_tree(target, reference, place)
    return _with_tree(reference, target, place), target


def _with_tree(sentence: Sentence, other: Sentence, place: int) -> Sentence:
    tag = _tag_of(sentence.words[place], other.tags[place])
    tags = (*other.tags[:place], tag, *other.tags[place + 1 :])
    known = (*other.lemmas[:place], base_of(sentence.words[place], part_of_tag(tag)), *other.lemmas[place + 1 :])
    return replace(sentence, tags=tags, lemmas=known, deps=other.deps, heads=other.heads)


def _tag_of(word: str, tag: str) -> str:
    """Return the tag with the number that the word has: "eyes" where "mouth" stood is plural."""
    if tag not in ("NN", "NNS"):
        return tag
    return "NNS" if base_of(word, "NOUN") != word else "NN"


def _worth(word: str, tag: str) -> float:
    """Return how likely a word is of the part of speech of a tag, of the texts that WordNet counted."""
    lexicon = read_lexicon()
    parts = {part: _tally(word, name) for part, name in KNOWN.items() if lexicon.has(base_of(word, part), name)}
    part = part_of_tag(tag)
    if part not in parts or (tag in ENDINGS and base_of(word, part) == word and not word.endswith(ENDINGS[tag])):
        return UNLIKELY
    return parts[part] / sum(parts.values())


def _tally(word: str, name: str) -> float:
    part = next(part for part, known in KNOWN.items() if known == name)
    return read_lexicon().frequency(base_of(word, part), name) + 0.5


def base_of(word: str, part: str) -> str:
    """Return the listed word of a regular form of one, as that universal part of speech; another as it is."""
    lexicon, name = read_lexicon(), KNOWN.get(part)
    if name is None or lexicon.has(word, name):
        return word
    found = lexicon.singular_of(word, name) if name in ("noun", "verb") else None
    return (lexicon.verb_of(word) if name == "verb" else None) or found or word


def differing_word(ours: Sequence[str], theirs: Sequence[str]) -> int | None:
    """Return where two lists of words of one length differ, if that is one place."""
    if len(ours) != len(theirs):
        return None
    places = [place for place, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other]
    return places[0] if len(places) == 1 else None

"""What qualifies the things of a caption: colour, size, count, material, kind and state, each with where it stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from cvr_data.language.closed_words import COUNTS, DETERMINING, PLACE_ADVERBS
from cvr_data.language.lexicon import Lexicon, read_lexicon
from cvr_data.language.nouns import BEFORE_NOUN, NOUN_TAGS, is_colour
from cvr_data.language.parse import Sentence

NOT_ATTRIBUTES = DETERMINING | PLACE_ADVERBS | {"color", "colour", "colored", "coloured"}


@dataclass(frozen=True)
class Attribute:
    """What a thing is like: `axis` is colour, size, age, count, material, kind, state or other."""

    lemma: str
    word: int
    axis: str


def attributes_of(sentence: Sentence, roles: Sequence[str], noun: int, name: str) -> list[Attribute]:
    """Return what qualifies a noun, before it or told of it: "young" of "a young man", "tired" of "he is tired"."""
    lexicon = read_lexicon()
    found = [child for child in sentence.children[noun] if sentence.deps[child] in BEFORE_NOUN and child < noun]
    for child in found:  # grows: "linoleum" qualifies "tile", which qualifies "floor"
        found += [other for other in sentence.children[child] if sentence.deps[other] in ("conj", *BEFORE_NOUN)]
    found += [other for child in sentence.children[noun] for other in sentence.children[child]
              if sentence.words[child] == "in" and is_colour(sentence, other, lexicon)]  # fmt: skip
    verb = sentence.heads[noun]
    if sentence.deps[noun].startswith("nsubj") and sentence.tags[verb].startswith("VB"):
        found += [child for child in sentence.children[verb] if sentence.deps[child] in ("acomp", "oprd")]
    return [
        Attribute(_said(sentence, word), word, attribute_word_axis(sentence, word, lexicon))
        for word in sorted(found)
        if _is_attribute(sentence, roles, word) and sentence.words[word] not in name.split(" ")[:-1]
    ]


def _said(sentence: Sentence, word: int) -> str:
    """Return the lemma of an attribute; a participle is what it is, as "wrapped" is not "wrap"."""
    return sentence.words[word] if sentence.tags[word].startswith("VB") else sentence.lemmas[word]


def _is_attribute(sentence: Sentence, roles: Sequence[str], word: int) -> bool:
    text = sentence.words[word]
    return text not in NOT_ATTRIBUTES and roles[word] in ("attribute", "scene")


def attribute_word_axis(sentence: Sentence, word: int, lexicon: Lexicon) -> str:
    """Return what of a thing an attribute tells."""
    text, tag = sentence.words[word], sentence.tags[word]
    if tag == "CD" or text in COUNTS:
        return "count"
    if lexicon.has(text, "adj") and lexicon.may_be(text, "colour"):
        return "colour"
    if tag in NOUN_TAGS:
        return "material" if lexicon.is_a(sentence.lemmas[word], "material") else "kind"
    if tag.startswith("VB"):
        return "state"
    return lexicon.axis(text) or "other"

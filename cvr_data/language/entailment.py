"""Whether a video with one caption answers what another caption asks for: it tells all that, and nothing else.

    candidate, target = (caption_words_once(frame) for frame in (one, other))     # two frames
    caption_words_entail(candidate, target)  # True: all that the target's caption says is told
    contradicting_words(candidate, target)    # ("red", "blue"): no video is both; else None

A caption that says less, or more, is no proof: silence is not absence. Words are compared wherever they stand, those
that qualify a thing with the thing.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from cvr_data.language.closed_words import DIRECTIONS, LIGHT_VERBS, SEEING, SHOWING
from cvr_data.language.exclusion import EXCLUDES, FITS, entails, relation_of
from cvr_data.language.frames import Frame
from cvr_data.language.nouns import NOUN_TAGS, is_film_noun
from cvr_data.language.verdicts import FUNCTION_TAGS, PARTS

DIRECTION = "direction"
"""Part of words that say where to: only the same word tells as much."""
_WAYS = frozenset("down left right up".split())
"""Directions that taggers take for prepositions, and captions seldom use as such."""
_SAYS_NOTHING = LIGHT_VERBS | SEEING | SHOWING | {"do", "front", "behind", "above"}


NEAR = {
    "noun": tuple(
        frozenset(words.split())
        for words in (
            "sea ocean", "beach shore seashore seaside coast", "forest woods wood woodland",
            "meadow field grassland pasture", "city skyline cityscape town", "river stream creek", "rock stone boulder",
            "road street", "couch sofa",
            "cup mug", "ball sphere orb", "cube box block", "ring hoop", "umbrella parasol", "mushroom toadstool",
            "boat ship", "bike bicycle", "jacket coat", "rug carpet", "pan skillet", "shop store", "tv television",
            "phone cellphone smartphone", "photo picture photograph", "child kid", "puppy dog", "kitten cat",
        )
    ),
    "verb": tuple(
        frozenset(words.split())
        for words in (
            "move drift slide glide float", "spin rotate turn twirl", "grow expand", "shrink contract",
            "fade vanish disappear", "shake tremble quiver vibrate", "blink flash flicker", "jump leap hop",
            "run jog sprint", "throw toss", "shut close",
        )
    ),
}  # fmt: skip
"""Words that captions use of one and the same thing, though a dictionary keeps them apart: one is no proof
that the other is not there."""


class Said(NamedTuple):
    """A word of a caption that tells what is seen."""

    part: str
    """noun, verb, adj or direction."""
    name: str
    of: str
    """The noun that it qualifies; empty of one that qualifies none."""


def caption_words_once(frame: Frame) -> tuple[Said, ...]:
    """Return what a caption says of the video, each word once."""
    sentence = frame.sentence
    found: dict[Said, None] = {}
    for at, (word, tag, lemma) in enumerate(zip(sentence.words, sentence.tags, sentence.lemmas, strict=True)):
        if word in DIRECTIONS and (tag != "IN" or word in _WAYS):
            found[Said(DIRECTION, word, "")] = None
            continue
        part = PARTS.get(tag[:2])
        if part in (None, "adv") or tag in FUNCTION_TAGS or lemma in _SAYS_NOTHING or is_film_noun(sentence, at):
            continue
        head = sentence.heads[at]
        qualifies = (
            head != at and sentence.tags[head] in NOUN_TAGS and sentence.deps[at] in ("amod", "compound", "nmod")
        )
        found[Said(str(part), lemma, sentence.lemmas[head] if qualifies else "")] = None
    return tuple(found)


def caption_words_entail(candidate: Sequence[Said], target: Sequence[Said]) -> bool:
    """Return whether the candidate's caption tells all of the target's, and nothing that does not fit it."""
    if not candidate or not target:
        return False
    is_told = all(word_entailed_by_caption(candidate, wanted) for wanted in target)
    return is_told and all(any(_fits(said, wanted) for wanted in target) for said in candidate)


def contradicting_words(candidate: Sequence[Said], target: Sequence[Said]) -> tuple[str, str] | None:
    """Return a word of each caption, of which no video can be both; None where there are none."""
    ours = [said for said in candidate if not any(_fits(said, wanted) for wanted in target)]
    theirs = [wanted for wanted in target if not caption_has_compatible_word(candidate, wanted)]
    for said in ours:
        for wanted in theirs:
            if _excludes(said, wanted):
                return said.name, wanted.name
    return None


def word_entailed_by_caption(candidate: Sequence[Said], wanted: Said) -> bool:
    """Return whether a caption tells what a word of another one does."""
    return any(_is_of_same(said, wanted) and _is_told(*_alike(said, wanted)) for said in candidate)


def caption_has_compatible_word(candidate: Sequence[Said], wanted: Said) -> bool:
    """Return whether a caption has a word that may be said of the same as one of another."""
    return any(_fits(said, wanted) for said in candidate)


def _fits(said: Said, wanted: Said) -> bool:
    return _is_of_same(said, wanted) and _relation(*_alike(said, wanted)) == FITS


def _excludes(said: Said, wanted: Said) -> bool:
    if DIRECTION in (said.part, wanted.part):
        return said.part == wanted.part
    if "verb" in (said.part, wanted.part) and bool(said.of) != bool(wanted.of):
        return False  # "checkered" of a ball is how it looks, and excludes nothing that it does
    is_of_same = not (said.of and wanted.of) or _relation("noun", said.of, wanted.of) == FITS
    return said.part == wanted.part and is_of_same and _relation(said.part, said.name, wanted.name) == EXCLUDES


def _is_of_same(said: Said, wanted: Said) -> bool:
    """Whether what two words qualify may be one thing, where both qualify one."""
    if (said.part == DIRECTION) != (wanted.part == DIRECTION):
        return False
    return not (said.of and wanted.of) or _relation("noun", said.of, wanted.of) == FITS


def _alike(said: Said, wanted: Said) -> tuple[str, str, str]:
    """The words with one part of speech: parsers take "dotted" for an adjective here and a verb there."""
    return wanted.part, said.name, wanted.name


@lru_cache(maxsize=1 << 18)
def _is_told(part: str, said: str, wanted: str) -> bool:
    return said == wanted or (part != DIRECTION and (_is_near(part, said, wanted) or entails(part, said, wanted)))


@lru_cache(maxsize=1 << 18)
def _relation(part: str, said: str, wanted: str) -> int:
    if said == wanted or _is_near(part, said, wanted):
        return FITS
    return EXCLUDES if part == DIRECTION else relation_of(part, said, wanted)


def _is_near(part: str, said: str, wanted: str) -> bool:
    return any({said, wanted} <= near for near in NEAR.get(part, ()))

"""The things, attributes and actions that a caption names, by spaCy's tags; each distinct caption is tagged once.

Only the tagger runs: noun phrases, modifiers and the objects of verbs are read off the tags, as the types of changes
are (`cvr_data.language.slots`), so a concept and a change never disagree about what a word is, and no parser need run.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from cvr_data.language.slots import DIRECTIONS, PARTICIPLES, Tagged, slot_at
from cvr_data.language.tagging import lemmas, tagged

CHUNK = 4096
"""Captions that are tagged at once, which bounds the memory."""
KINDS = ("thing", "attribute", "action")
_OF_SLOT = {"object": "thing", "scene": "thing", "attribute": "attribute", "action": "action"}
NOT_A_CONCEPT = frozenset(
    "animation background be camera clip close close-up closeup concept do footage foreground front get group have "
    "kind lot look make middle other pair part people's piece scene screen see shot show side slow-motion someone "
    "something such take time timelapse top type use various video view way".split()
)
"""Words that say how something is filmed, counted or told rather than what is there."""
_NOUNS = ("NOUN", "PROPN")
_BEFORE_OBJECT = ("DET", "ADJ", "NUM")
_OBJECT_WORDS = 6
"""Words after a verb, at most, in which its object ends."""


class Mention(NamedTuple):
    """A concept as one caption names it."""

    kind: str
    """thing, attribute or action."""
    key: str
    """Lemma of the word; of an action, that of the verb, and its direction or particle."""
    phrase: str
    """The words of the caption; those of an action end with its object."""
    slot: str
    """object, scene, attribute or action: what it is in this caption."""


class _Span(NamedTuple):
    mention: Mention
    word: str
    """What is to be lemmatised."""
    part: str


def mentions_of_all(captions: Sequence[str]) -> Iterator[list[Mention]]:
    """Yield what each caption of normalised words mentions, in order."""
    for start in range(0, len(captions), CHUNK):
        yield from mentions(captions[start : start + CHUNK])


def mentions(captions: Sequence[str]) -> list[list[Mention]]:
    """Return what each caption of normalised words mentions, in the order of its words."""
    spans = [list(_spans(caption)) for caption in tagged(captions)]
    flat = [span for found in spans for span in found]
    words, parts = (pa.array([getattr(span, name) for span in flat], pa.string()) for name in ("word", "part"))
    lemma = iter(lemmas(words, parts).to_pylist() if flat else [])
    return [_named(found, [next(lemma) for _ in found]) for found in spans]


def _named(spans: Sequence[_Span], lemma: Sequence[str]) -> list[Mention]:
    found = []
    for span, base in zip(spans, lemma, strict=True):
        if base not in NOT_A_CONCEPT and span.word not in NOT_A_CONCEPT:
            found.append(span.mention._replace(key=" ".join([base, span.mention.key]).strip()))
    return found


def _spans(caption: Tagged) -> Iterator[_Span]:
    """Yield the mentions of a caption, their key still without the lemma."""
    words, parts, tags = caption
    for index, part in enumerate(parts):
        is_named = part in ("NOUN", "PROPN", "VERB", "ADJ", "NUM") or tags[index] in PARTICIPLES
        kind = _OF_SLOT.get(slot_at(caption, index, index)) if is_named and part != "AUX" else None
        if kind is None or words[index] in DIRECTIONS:
            continue
        if kind == "action":
            particle = _particle(caption, index)
            last = _end_of_object(caption, index + len(particle.split()))
            phrase = " ".join(words[index : last + 1])
            yield _Span(Mention("action", particle, phrase, "action"), words[index], part)
        else:
            slot = slot_at(caption, index, index)
            # the lemma of "striped" as a verb would be "strip"
            part = "ADJ" if kind == "attribute" and part == "VERB" else part
            yield _Span(Mention(kind, "", words[index], slot), words[index], part)


def _particle(caption: Tagged, verb: int) -> str:
    """Return the direction or particle right after a verb, else nothing."""
    following = verb + 1
    if following >= len(caption.words):
        return ""
    is_before_noun = following + 1 < len(caption.words) and caption.parts[following + 1] in _NOUNS
    is_direction = caption.words[following] in DIRECTIONS and not is_before_noun
    return caption.words[following] if is_direction or caption.tags[following] == "RP" else ""


def _end_of_object(caption: Tagged, last: int) -> int:
    """Return where the object of a verb ends that ends at `last`; `last` itself if there is none."""
    parts = caption.parts
    end = last
    for index in range(last + 1, min(last + 1 + _OBJECT_WORDS, len(parts))):
        if parts[index] in _NOUNS:
            end = index
        elif end > last or parts[index] not in _BEFORE_OBJECT:
            break
    return end

"""What both captions say around a thing that changes: what is done to it, what it does, and where."""

from dataclasses import dataclass

from cvr_data.language.changes import Phrase
from cvr_data.language.closed_words import PLACE_ADVERBS
from cvr_data.language.frames import Frame
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.naming import head_of
from cvr_data.language.noun_phrases import is_other_deed
from cvr_data.language.nouns import preposition
from cvr_data.language.verbs import NOTHING, Forms, verb_forms
from cvr_data.modifications.realising.holders import Holder, holder_for_modification

PLACES = frozenset("in on at by near under over inside along through behind beside above".split()) | {
    "in front of",
    "on top of",
    "next to",
}
PUTTING = frozenset("put place set lay".split())
"""Verbs that say nothing without where."""
NOWHERE = Phrase(range(0), 0, 0, "", "", "")


@dataclass(frozen=True)
class Deed:
    """What is done to a thing that goes and to the one that comes: "play" of "plays the guitar"."""

    base: str
    who: Holder | None


def deed_for_modification(ours: Frame, theirs: Frame, heads: tuple[int | None, int | None]) -> Deed | None:
    """Return what both captions say is done to what goes and to what comes; None if that is nothing."""
    events = [
        next((one for one in frame.events if one.object is not None and frame.things[one.object].head == head), None)
        for frame, head in zip((ours, theirs), heads, strict=True)
    ]
    one, other = events
    if one is None and other is None:
        return _deed_at(ours, theirs, heads)
    if one is None or other is None or one.verb != other.verb or one.head > (heads[0] or 0):
        return None
    if one.agent is None and ours.sentence.tags[one.head] == "VBG" and ours.sentence.deps[one.head] != "ROOT":
        return None
    if one.verb in PUTTING and not one.particle:
        return None
    who = _who(ours, one.agent)
    return Deed(f"{one.verb} {one.particle}".strip(), who)


def _who(frame: Frame, agent: int | None) -> Holder | None:
    """Return who does something; nobody is a name that the lexicon has not, as of a town before a colon."""
    if agent is None or not read_lexicon().has(head_of(frame.things[agent].name), "noun"):
        return None
    return holder_for_modification(frame, agent)


def _deed_at(ours: Frame, theirs: Frame, heads: tuple[int | None, int | None]) -> Deed | None:
    """Return what both captions say is done at, on or to what goes and what comes: "sit on"."""
    found = [_verb_at(frame, head) for frame, head in zip((ours, theirs), heads, strict=True)]
    one, other = found
    if one is None or other is None or one[1:] != other[1:]:
        return None
    event = ours.events[one[0]]
    if event.agent is None and ours.sentence.deps[event.head] != "ROOT":
        return None
    who = _who(ours, event.agent)
    return Deed(" ".join(filter(None, one[1:])), who)


def _verb_at(frame: Frame, head: int | None) -> tuple[int, str, str, str] | None:
    """Return the number of the event that a noun hangs on by a preposition, its verb, its particle and that."""
    sentence = frame.sentence
    at = None if head is None else preposition(sentence, head)
    if head is None or at is None or at > head or is_other_deed(frame, at, head):
        return None
    if sentence.child(sentence.heads[at], "dobj", "neg") is not None:
        return None
    number = next((number for number, event in enumerate(frame.events) if event.head == sentence.heads[at]), None)
    if number is None or sentence.child(sentence.heads[at], "auxpass") is not None or sentence.words[at] == "of":
        return None
    event = frame.events[number]
    return (number, event.verb, event.particle, sentence.words[at]) if event.head < at else None


def doing_for_modification(frame: Frame, head: int | None) -> Forms:
    """Return what a thing does, if its caption says it once."""
    events = [one for one in frame.events if one.agent is not None and frame.things[one.agent].head == head]
    if len(events) != 1 or frame.sentence.words[events[0].head + 1 : events[0].head + 2] == ("of",):
        return NOTHING  # "use of a phone"
    return verb_forms(frame, NOWHERE, events[0].head, None)


def place_for_modification(ours: Frame, theirs: Frame) -> str:
    """Return where both captions say that it is, in the words of the target."""
    known = {(thing.name, thing.preposition) for thing in ours.things if thing.slot == "scene"}
    for thing in theirs.things:
        if thing.field == "place" and thing.preposition in PLACES and (thing.name, thing.preposition) in known:
            words = theirs.sentence.words[thing.first : thing.last + 1]
            words = ("the", *words[1:]) if thing.determiner in ("a", "an") else words  # it is there already
            is_told = thing.determiner or thing.number == "plural"
            if thing.name in PLACE_ADVERBS:
                continue  # "at outdoor"
            if not is_told and (thing.first < thing.last or not read_lexicon().has(thing.name, "noun")):
                continue  # a name
            return " ".join([thing.preposition, *(words if is_told else ("the", *words))])
    return ""

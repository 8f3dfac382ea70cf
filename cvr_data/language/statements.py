"""What a caption states, a row for each thing that is done in it: who does what to what, where, when, how all look.

    statement = sentence_statements(frame)[0]          # "a red car drives down a road at night"
    statement["agent"].name, statement["verb"].name        # "car", "drive"
    statement["agent colour"].name, statement["place"].name    # "red", "road"

Two captions whose statements fill all slots alike but one differ in what fills that slot. A caption in which nothing is
done makes one statement without a verb. Nouns of which is only talked, and words for the film, fill no slot.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cvr_data.language.dimensions import word_dimension
from cvr_data.language.frames import Event, Frame, Thing
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.nouns import NOUN_TAGS

ROLES = ("agent", "object", "other", "place")
"""What a thing is in a statement: `other` is one that is neither who acts nor with what something is done."""
AXES = ("colour", "number", "age", "look")
"""What an attribute of a thing tells; `look` is the first that tells anything else."""
SLOTS = ("agent", "verb", "object", "other", "place", "time", *(f"{role} {axis}" for role in ROLES for axis in AXES))
MOST = 3
"""Statements of one caption."""


SUNG = frozenset("sing rap chant hum shout scream cry laugh snap".split())
"""Verbs of speech, as the lexicon has it, of which more is seen than that somebody talks."""


class Value(NamedTuple):
    """What fills a slot, and which words of the caption say so."""

    part: str
    """noun, verb or adj."""
    name: str
    """The lemma; a compound with a space, a verb with its particle."""
    first: int
    last: int


Statement = dict[str, Value]
"""Slot -> what fills it; slots that nothing fills are not there."""


def sentence_statements(frame: Frame) -> list[Statement]:
    """Return what a caption states, in the order of its verbs; nothing of one that names nothing that is seen."""
    done = [event for event in frame.events if frame.sentence.child(event.head, "advmod") not in _hows(frame)]
    events = [event for event in done if event.agent is not None or event.object is not None]
    events = (events or done)[:MOST]
    found = [_statement(frame, event) for event in events] or [_statement(frame, None)]
    return [statement for statement in found if statement]


def _hows(frame: Frame) -> set[int | None]:
    """Return the words "how": what somebody shows how to do need not be done."""
    return {at for at, word in enumerate(frame.sentence.words) if word == "how"}


def nouns_named_in_sentence(frame: Frame) -> list[Value]:
    """Return all that a caption names, whatever it is in its statements; attributes too."""
    found = [_noun(frame, thing) for thing in frame.things]
    found += [_verb(frame, event) for event in frame.events]
    found += [value for thing in _seen(frame) for _, value in _attributes(frame, thing)]
    return list({(value.part, value.name): value for value in reversed(found)}.values())[::-1]


def _statement(frame: Frame, event: Event | None) -> Statement:
    things = _seen(frame)
    objects = [thing for thing in things if thing.slot == "object"]
    roles: dict[str, Thing] = {}
    if event is not None:
        for role, number in (("agent", event.agent), ("object", event.object)):
            if number is not None and not frame.things[number].is_topic:
                roles[role] = frame.things[number]
    elif objects or things:
        roles["agent"] = _main(frame, objects or things)
    taken = {thing.head for thing in roles.values()} | {*_of_others(frame, event)}
    rest = [thing for thing in objects if thing.head not in taken]
    if event is not None and read_lexicon().is_speech(event.verb) and event.verb not in SUNG:
        rest = []  # what is talked of need not be there
        if "object" in roles and not read_lexicon().classes(roles["object"].name) & {"person", "animal"}:
            del roles["object"]
    if rest:
        roles["other"] = rest[0]
    scenes = [thing for thing in things if thing.slot == "scene" and thing.head not in taken]
    for field, role in (("place", "place"), ("", "time")):
        scene = next((thing for thing in scenes if (thing.field == "place") == (field == "place")), None)
        if scene is not None:
            roles[role] = scene
    return _filled(frame, roles, event)


def _filled(frame: Frame, roles: dict[str, Thing], event: Event | None) -> Statement:
    values = {role: _noun(frame, thing) for role, thing in roles.items()}
    if event is not None:
        values["verb"] = _verb(frame, event)
    for role in ROLES:
        for axis, value in _attributes(frame, roles[role]) if role in roles else ():
            values.setdefault(f"{role} {axis}", value)
    return {slot: values[slot] for slot in SLOTS if slot in values}


def _seen(frame: Frame) -> Sequence[Thing]:
    return [thing for thing in frame.things if not thing.is_topic]


def _main(frame: Frame, things: Sequence[Thing]) -> Thing:
    """Return the thing that the others of a caption hang on, else the first."""
    return next((thing for thing in things if frame.sentence.heads[thing.head] == thing.head), things[0])


def _of_others(frame: Frame, event: Event | None) -> Iterator[int]:
    """Yield the heads of what the other events of a caption are done by or to."""
    for other in frame.events:
        if other is not event:
            yield from (frame.things[at].head for at in (other.agent, other.object) if at is not None)


def _noun(frame: Frame, thing: Thing) -> Value:
    is_compound = " " in thing.name and not thing.name.endswith(" background")
    return Value("noun", thing.name, thing.head - is_compound, thing.head)


def _verb(frame: Frame, event: Event) -> Value:
    particle = event.particle or event.direction
    follows = frame.sentence.words[event.head + 1 : event.head + 2] == (particle,)
    name = f"{event.verb} {particle}".strip()
    is_talk = read_lexicon().is_speech(event.verb) and event.verb not in SUNG
    return Value("verb", "talk" if is_talk else name, event.head, event.head + follows)


def _attributes(frame: Frame, thing: Thing) -> Iterator[tuple[str, Value]]:
    """Yield axis and value of what qualifies a thing."""
    for attribute in thing.attributes:
        dimension = word_dimension("attribute", attribute.lemma)
        axis = attribute.axis if attribute.axis in ("colour", "age") else dimension
        axis = "number" if attribute.axis == "count" else axis
        part = "noun" if frame.sentence.tags[attribute.word] in NOUN_TAGS and axis not in AXES else "adj"
        yield (axis if axis in AXES else "look"), Value(part, attribute.lemma, attribute.word, attribute.word)

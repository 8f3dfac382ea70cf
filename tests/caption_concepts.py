"""The concepts of a caption: the objects, scenes, actions and attributes of its frame that can be seen."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from cvr_data.language.frames import Frame, Thing
from cvr_data.language.nouns import NOUN_TAGS

Value = TypeVar("Value")
SEEN = ("material", "colour", "count")
"""The axes of attributes that can be seen though a noun tells them."""


@dataclass(frozen=True)
class Concepts:
    """Lemmas; a compound is one with a space, an attribute stands with its noun, an action with its particle."""

    objects: tuple[str, ...]
    scenes: tuple[str, ...]
    actions: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]


def concepts_of(frame: Frame) -> Concepts:
    """Return the concepts of a frame in the order of its words, each once."""
    things = frame.things
    return Concepts(
        objects=_once(thing.name for thing in things if thing.slot == "object" and not thing.is_topic),
        scenes=_once(thing.name for thing in things if thing.slot == "scene"),
        actions=_once(f"{event.verb} {event.particle}".strip() for event in frame.events),
        attributes=_once((lemma, thing.name) for thing in things for lemma in seen_attributes(frame, thing)),
    )


def seen_attributes(frame: Frame, thing: Thing) -> list[str]:
    """Return the attributes of a thing that tell how it looks: a noun before it says what kind it is, often no more."""
    tags = frame.sentence.tags
    return [
        attribute.lemma
        for attribute in thing.attributes
        if attribute.axis in SEEN or (tags[attribute.word] not in NOUN_TAGS and tags[attribute.word] != "VBG")
    ]


def _once(values: Iterable[Value]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(values))

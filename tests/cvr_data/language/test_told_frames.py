"""Frames that somebody tells: where their words stand, what is left out, and what they are good for."""

import pytest

from cvr_data.language.changes import word_changes_between
from cvr_data.language.statements import sentence_statements
from cvr_data.language.told_frames import sentence_frame_from_words
from tests.caption_concepts import concepts_of

CAR = "A red car drives down a snowy road at night."
OF_CAR = {
    "things": [{"noun": "car", "attributes": ["red"]}],
    "scenes": [{"noun": "road", "kind": "place", "attributes": ["snowy"]}, {"noun": "night", "kind": "time"}],
    "actions": [{"verb": "drives down", "agent": "car", "object": ""}],
}


def values(frame):
    return [{slot: value.name for slot, value in statement.items()} for statement in sentence_statements(frame)]


def test_what_is_told_becomes_things_events_and_statements():
    told = sentence_frame_from_words(CAR, OF_CAR)
    assert told.dropped == 0
    assert values(told.frame) == [{"agent": "car", "verb": "drive down", "place": "road", "time": "night",
                                   "agent colour": "red", "place look": "snowy"}]  # fmt: skip
    car, road, _ = told.frame.things
    assert (car.determiner, car.number, car.first, car.last, car.slot) == ("a", "singular", 0, 2, "object")
    assert (road.preposition, road.slot, road.field) == ("down", "scene", "place")


def test_words_that_the_caption_has_not_are_left_out_and_counted():
    told = {**OF_CAR, "things": [{"noun": "car", "attributes": ["shiny", "red"]}, {"noun": "dog", "attributes": []}],
            "actions": [{"verb": "drives down", "agent": "man", "object": "car"}, {"verb": "barks", "agent": "dog",
                                                                                    "object": ""}]}  # fmt: skip
    frame, dropped = sentence_frame_from_words(CAR, told)
    assert dropped == 4
    assert [thing.name for thing in frame.things] == ["car", "road", "night"]
    assert [(event.verb, event.agent, event.object) for event in frame.events] == [("drive", None, 0)]


@pytest.mark.parametrize(
    ("caption", "told", "expected"),
    [
        ("two men eat ice cream", {"things": [{"noun": "men", "attributes": ["two"]}, {"noun": "ice cream"}],
         "actions": [{"verb": "eat", "agent": "men", "object": "ice cream"}]},
         {"agent": "man", "verb": "eat", "object": "ice cream", "agent number": "two"}),
        ("a dog and another dog run", {"things": [{"noun": "dog"}, {"noun": "dog"}],
         "actions": [{"verb": "run", "agent": "dog"}]}, {"agent": "dog", "verb": "run", "other": "dog"}),
        ("kids are playing chess", {"things": [{"noun": "kid"}, {"noun": "chess"}],
         "actions": [{"verb": "are playing", "agent": "kid", "object": "chess"}]},
         {"agent": "kid", "verb": "play", "object": "chess"}),
        ("", {"things": [{"noun": "dog"}]}, None),
        ("?!", {}, None),
    ],
)  # fmt: skip
def test_forms_compounds_and_repeated_words_are_found(caption, told, expected):
    frame, _ = sentence_frame_from_words(caption, told)
    assert values(frame) == ([expected] if expected else [])


def test_changes_are_located_by_what_is_told():
    blue = sentence_frame_from_words(
        CAR.replace("red", "blue"), {**OF_CAR, "things": [{"noun": "car", "attributes": ["blue"]}]}
    )
    (change,) = word_changes_between(sentence_frame_from_words(CAR, OF_CAR).frame, blue.frame)
    assert (change.kind, change.slot, change.before, change.after) == ("static", "attribute", "red", "blue")
    assert (change.after_phrase.start, change.after_phrase.head, change.verdict) == (2, "car", "change")
    assert concepts_of(blue.frame).attributes == (("blue", "car"), ("snowy", "road"))

"""statements: what a caption tells, slot by slot."""

import pytest

from cvr_data.language.frames import parsed_sentence_frame
from cvr_data.language.parse import parse_sentences, sentences
from cvr_data.language.statements import SLOTS, nouns_named_in_sentence, sentence_statements

pytestmark = pytest.mark.engine


def told(text):
    found = sentence_statements(parsed_sentence_frame(next(sentences(parse_sentences([text])))))
    return [{slot: value.name for slot, value in statement.items()} for statement in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a red car drives down a road at night",
         [{"agent": "car", "verb": "drive down", "place": "road", "time": "night", "agent colour": "red"}]),
        ("two men are playing a guitar",
         [{"agent": "man", "verb": "play", "object": "guitar", "agent number": "two"}]),
        ("a man is talking about cars on a stage", [{"agent": "man", "verb": "talk", "place": "stage"}]),
        ("a woman shows how to cook", [{"agent": "woman", "verb": "show"}]),
        ("white roses on a table", [{"agent": "rose", "other": "table", "agent colour": "white"}]),
        ("of the", []),
    ],
)  # fmt: skip
def test_a_caption_fills_slots(text, expected):
    assert told(text) == expected


def test_each_event_makes_a_statement_of_its_own_things():
    first, second = told("a man sings while a woman plays the piano")
    assert (first["agent"], first["verb"]) == ("man", "sing")
    assert (second["agent"], second["verb"], second["object"]) == ("woman", "play", "piano")
    assert "object" not in first


def test_all_that_fills_a_slot_is_named_and_stands_where_it_is_said():
    text = "A young woman picks up a video game in the kitchen"
    frame = parsed_sentence_frame(next(sentences(parse_sentences([text]))))
    (statement,) = sentence_statements(frame)
    assert list(statement) == [slot for slot in SLOTS if slot in statement]
    assert {(value.part, value.name) for value in statement.values()} <= {
        (value.part, value.name) for value in nouns_named_in_sentence(frame)
    }
    spans = {slot: frame.sentence.characters(value.first, value.last) for slot, value in statement.items()}
    assert {slot: text[slice(*span)] for slot, span in spans.items()} == {
        "agent": "woman", "verb": "picks up", "object": "video game", "place": "kitchen", "agent age": "young",
    }  # fmt: skip

"""frames: who is in a caption, what they do, where; and that odd captions are read, too."""

import pytest

from cvr_data.language.frames import parsed_sentence_frame
from cvr_data.language.parse import parse_sentences, sentences
from tests.caption_concepts import concepts_of

pytestmark = pytest.mark.engine


def frame(text):
    return parsed_sentence_frame(next(sentences(parse_sentences([text]))))


@pytest.mark.parametrize(
    ("text", "objects", "scenes", "actions", "attributes"),
    [
        ("A red car drives on a road at night", ["car"], ["road", "night"], ["drive"], [("red", "car")]),
        ("a man picks up a slice of bread in the kitchen", ["man", "bread"], ["kitchen"], ["pick up"], []),
        ("someone is playing a video game", ["video game"], [], ["play"], []),
        ("Slow motion of two dogs running on the beach", ["dog"], ["beach"], ["run"], [("two", "dog")]),
        ("the camera pans away from the balcony", [], ["balcony"], ["pan"], []),
        ("clip of a wooden table, isolated on black", ["table"], ["black background"], [], [("wooden", "table")]),
    ],
)
def test_concepts_are_those_that_can_be_seen(text, objects, scenes, actions, attributes):
    found = concepts_of(frame(text))
    assert [*map(list, (found.objects, found.scenes, found.actions, found.attributes))] == [
        objects, scenes, actions, attributes,
    ]  # fmt: skip


def test_an_event_knows_who_does_what_to_what():
    found = frame("a young woman is washing her hands in the sink")
    (event,) = found.events
    assert (event.verb, found.things[event.agent].name, found.things[event.object].name) == ("wash", "woman", "hand")
    assert found.things[event.agent].is_person


@pytest.mark.parametrize(
    "text", ["", "  ", "!!!", "a", "'s", "caf\u00e9\u2019s na\u00efve co-op", "a " * 300, "\u732b"]
)
def test_odd_captions_have_a_frame(text):
    assert concepts_of(frame(text)).actions == ()


def test_a_caption_is_read_alike_in_any_company():
    texts = ["a dog runs on sand", "rain", "Woman use of smartphone at outdoor"]
    together = list(sentences(parse_sentences(texts)))
    assert [next(sentences(parse_sentences([text]))) for text in texts] == together

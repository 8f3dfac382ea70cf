"""changes: the examples that people agree on, and what must hold of any two captions."""

import pytest

from cvr_data.language.changes import word_changes_between
from cvr_data.language.frames import parsed_sentence_frame
from cvr_data.language.parse import parse_sentences, sentences

pytestmark = pytest.mark.engine

CHANGES = [
    ("a dance teacher shows how to dance", "a dance teacher shows how to sing", "dance", "sing", "action"),
    ("Green maple leaves in a park", "Green oak leaves in a park", "maple", "oak", "attribute"),
    ("a red car drives down a road", "a blue car drives down a road", "red", "blue", "attribute"),
    ("squirrel in the winter forest", "squirrel in the autumn forest", "winter", "autumn", "scene"),
    ("a boat sails on the sea", "a boat sails on the lake", "sea", "lake", "scene"),
    ("a man is sitting in the bus and talking", "a man is sitting in the office and talking", "bus", "office", "scene"),
    ("put scissors on the table", "put scissors on the shelf", "table", "shelf", "object"),
    ("a dog runs on sand", "a cat runs on sand", "dog", "cat", "object"),
    ("two men talk at a table", "three men talk at a table", "two", "three", "attribute"),
    ("a man walks up the stairs", "a man walks down the stairs", "up", "down", "action"),
    ("Tourist reading a map", "Tourist folding a map", "reading", "folding", "action"),
    ("Actor walking on stage", "Actors walking on stage", "actor", "actors", "object"),
    ("Rainbow over the fields", "Rainbow over the ocean", "fields", "ocean", "scene"),
]
NONE = [
    ("a man hitting a ball", "a man hits a ball", "same_lemma"),
    ("a man hits a ball", "the man hits a ball", "function_words"),
    ("a woman talks about cars", "a woman talks about math", "topic"),
    ("a man talks to a dog", "a man speaks to a dog", "same_verb_class"),
    ("a couch in a room", "a sofa in a room", "synonym"),
    ("a big dog runs", "a large dog runs", "synonym"),
    ("the governor waves", "the goverenor waves", "spelling"),
    ("a young man sings", "a man sings", "only_removed"),
    ("a man sings", "a young man sings", "only_added"),
    ("a dog runs on sand", "a dog runs on sand", "same_words"),
    ("a poppy in a field", "a flower in a field", "more_general"),
]


@pytest.fixture(scope="module")
def frames():
    texts = sorted({text for row in (*CHANGES, *NONE) for text in row[:2]})
    return dict(zip(texts, map(parsed_sentence_frame, sentences(parse_sentences(texts))), strict=True))


@pytest.mark.parametrize(("reference", "target", "before", "after", "slot"), CHANGES)
def test_a_change_is_located_and_typed_as_people_do(frames, reference, target, before, after, slot):
    (change,) = word_changes_between(frames[reference], frames[target])
    assert (change.before, change.after, change.slot, change.verdict) == (before, after, slot, "change")
    assert change.kind == ("action" if slot == "action" else "static")


@pytest.mark.parametrize(("reference", "target", "reason"), NONE)
def test_what_cannot_be_seen_to_differ_is_no_change(frames, reference, target, reason):
    found = word_changes_between(frames[reference], frames[target])
    assert all(change.verdict != "change" for change in found)
    assert (found[0].reason if found else "same_words") == reason


@pytest.mark.parametrize(("reference", "target"), [row[:2] for row in (*CHANGES, *NONE)])
def test_swapped_captions_swap_the_sides(frames, reference, target):
    there = word_changes_between(frames[reference], frames[target])
    back = word_changes_between(frames[target], frames[reference])
    assert [(change.before, change.after) for change in there] == [(change.after, change.before) for change in back]
    assert [change.before_phrase for change in there] == [change.after_phrase for change in back]


@pytest.mark.parametrize(("reference", "target"), [row[:2] for row in (*CHANGES, *NONE)])
def test_spans_point_at_the_words(frames, reference, target):
    for change in word_changes_between(frames[reference], frames[target]):
        assert reference[change.before_phrase.start : change.before_phrase.end].lower() == change.before
        assert target[change.after_phrase.start : change.after_phrase.end].lower() == change.after


def test_a_caption_and_itself_have_no_change(frames):
    assert all(word_changes_between(frame, frame) == [] for frame in frames.values())


def test_a_phrase_knows_its_noun_number_and_determiner(frames):
    (change,) = word_changes_between(*(frames[f"{count} men talk at a table"] for count in ("two", "three")))
    assert (change.after_phrase.head, change.after_phrase.number) == ("men", "plural")
    (change,) = word_changes_between(*(frames[f"a {colour} car drives down a road"] for colour in ("red", "blue")))
    assert (change.before_phrase.head, change.before_phrase.determiner) == ("car", "a")

"""entailment: which captions answer what another asks for, and which no video can share."""

import pytest

from cvr_data.language.entailment import caption_words_entail, caption_words_once, contradicting_words
from cvr_data.language.frames import parsed_sentence_frames


def said(*captions):
    found = parsed_sentence_frames(captions)
    return [caption_words_once(found[caption]) for caption in captions]


@pytest.mark.parametrize(
    ("candidate", "target", "expected"),
    [
        ("a red ball rolls", "a red ball rolls", True),
        ("footage of a red ball that rolls", "a red ball is rolling", True),
        ("a poodle runs on the beach", "a dog is running on a beach", True),
        ("a dog runs on the beach", "a poodle runs on the beach", False),  # it need be no poodle
        ("a dog runs", "a dog runs on the beach", False),  # where, it does not say
        ("a black dog runs on the beach", "a dog runs on the beach", False),  # nobody asked for black
        ("a blue ball rolls", "a red ball rolls", False),
        ("a fish moves left", "a fish moves right", False),
        ("a red ball and a blue cube", "a blue ball and a red cube", False),
    ],
)
def test_a_caption_answers_that_tells_all_and_nothing_beside(candidate, target, expected):
    assert caption_words_entail(*said(candidate, target)) is expected


@pytest.mark.parametrize(
    ("candidate", "target", "expected"),
    [
        ("a blue ball rolls", "a red ball rolls", ("blue", "red")),
        ("a fish moves left", "a fish moves right", ("left", "right")),
        ("a man plays a guitar", "a man plays a piano", ("guitar", "piano")),
        ("a dog runs", "a dog runs on the beach", None),
        ("a poodle runs", "a dog runs", None),
        ("a red ball rolls", "a red ball rolls", None),
    ],
)
def test_captions_contradict_each_other_by_two_words(candidate, target, expected):
    assert contradicting_words(*said(candidate, target)) == expected


def test_nothing_answers_a_caption_that_says_nothing():
    assert not caption_words_entail((), said("a red ball rolls")[0])
    assert not caption_words_entail(said("a red ball rolls")[0], ())

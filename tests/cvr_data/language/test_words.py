"""words: forms of a word, negations, and what is replaced with what."""

import pytest

from cvr_data.language.words import mentions, phrases_of, replaced, same_word, split_negated


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("walks", "walking"), ("dives", "diving"), ("running", "runs"), ("ran", "run"), ("flies", "fly"),
        ("stopped", "stop"), ("boxes", "box"), ("tomatoes", "tomato"), ("children", "child"), ("shaking", "shakes"),
    ],
)  # fmt: skip
def test_forms_of_a_word_are_the_same_word(one, other):
    assert same_word(one, other) and same_word(other, one)


@pytest.mark.parametrize(("one", "other"), [("cat", "cart"), ("grass", "gras"), ("sing", "string"), ("man", "woman")])
def test_other_words_are_not(one, other):
    assert not same_word(one, other)


@pytest.mark.parametrize(
    ("text", "affirmed", "negated"),
    [
        ("make it blue, not red", "make it blue", "red"),
        ("run instead of walking", "run", "walking"),
        ("not sleeping but running", "but running", "sleeping"),
        ("a cube rather than a ball", "a cube", "a ball"),
        ("knot the rope", "knot the rope", ""),
    ],
)
def test_a_negation_takes_back_up_to_the_next_clause(text, affirmed, negated):
    sides = split_negated(text)
    assert (sides.affirmed, sides.negated) == (affirmed.split(), negated.split())


def test_replaced_gives_what_goes_and_what_comes():
    assert replaced("Replace the ball with a cube") == (["the", "ball"], ["a", "cube"])
    assert replaced("change it to night instead of day") == (["it"], ["night"])
    assert replaced("the cat sleeps") is None


def test_a_concept_of_function_words_must_be_there_word_for_word():
    assert mentions(["zoom", "out"], "out") and not mentions(["zoom", "in"], "out")


def test_a_caption_is_cut_before_its_prepositions():
    assert phrases_of("On a road, a red ball falls in the sun") == [
        ["on", "a", "road", "a", "red", "ball", "falls"], ["in", "the", "sun"]
    ]  # fmt: skip

"""edits: negations, and what is replaced with what."""

import pytest

from cvr_data.language.edits import replaced, split_negated


@pytest.mark.parametrize(
    ("text", "affirmed", "negated"),
    [
        ("make it blue, not red", "make it blue", "red"),
        ("run instead of walking", "run", "walking"),
        ("not sleeping but running", "but running", "sleeping"),
        ("a cube rather than a ball", "a cube", "a ball"),
        ("make it blue, don\u2019t make it red", "make it blue", "make it red"),
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

"""The view of a text without negation: whole words in ours, letters in the released one."""

import pytest

from cvr_bench.models.fdca import fdca_without_negation, fdca_without_negation_as_released


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a dog instead of a cat", "a dog a cat"),
        ("Instead of a cat, a dog", "a cat, a dog"),
        ("a dog rather than a cat, not outside", "a dog a cat, outside"),
        ("another notebook with nothing in a knot", "another notebook with nothing in a knot"),
        ("the dog doesn't run", "the dog does run"),
        ("it no longer spins", "it spins"),
        ("replace the cat with a dog", "the cat with a dog"),
        ("Remove the hat", "the hat"),
        ("make it blue", "make it blue"),
        ("not", "not"),
        ("", ""),
    ],
)
def test_whole_words_of_negation_go(text, expected):
    assert fdca_without_negation(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a dog instead of a cat", "a dog  a cat"),
        ("another notebook, nothing", "aher ebook, hing"),
        ("cannot", "can"),
        ("a knot", "a k"),
        ("Instead of a cat", "Instead of a cat"),
    ],
)
def test_as_released_letters_go_inside_words_too(text, expected):
    assert fdca_without_negation_as_released(text) == expected

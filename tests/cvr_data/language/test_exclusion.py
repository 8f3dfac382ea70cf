"""exclusion: which words cannot both be meant, by hand; and that the order of the two does not matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.language.exclusion import CLASH, EXCLUDES, FITS, UNRELATED, entails, is_specific, relation_of

NOUNS = [
    "man", "woman", "boy", "girl", "kid", "singer", "person", "dog", "poodle", "horse", "guitar", "piano", "car",
    "truck", "kitchen", "beach", "speech", "apple", "candy bar", "video game", "night", "food", "idea", "stage",
]  # fmt: skip
VERBS = ["sing", "dance", "talk", "explain", "cut", "chop", "perform", "preform", "walk", "walk up", "own", "sit"]
ADJECTIVES = ["red", "blue", "grey", "gray", "two", "three", "several", "young", "old", "colorful", "happy"]


@pytest.mark.parametrize(
    ("part", "one", "other", "relation"),
    [
        ("noun", "guitar", "piano", EXCLUDES), ("noun", "dog", "horse", EXCLUDES), ("noun", "car", "truck", EXCLUDES),
        ("noun", "dog", "poodle", FITS), ("noun", "food", "apple", FITS), ("noun", "apple", "candy bar", EXCLUDES),
        ("noun", "man", "woman", EXCLUDES), ("noun", "man", "boy", FITS), ("noun", "man", "singer", FITS),
        ("noun", "man", "kid", EXCLUDES), ("noun", "girl", "kid", FITS), ("noun", "person", "woman", FITS),
        ("noun", "man", "horse", EXCLUDES), ("noun", "man", "guitar", CLASH), ("noun", "speech", "guitar", CLASH),
        ("noun", "kitchen", "beach", EXCLUDES), ("noun", "guitar", "kitchen", UNRELATED),
        ("verb", "sing", "dance", EXCLUDES), ("verb", "cut", "chop", FITS), ("verb", "talk", "explain", FITS),
        ("verb", "perform", "preform", FITS), ("verb", "walk", "walk up", FITS), ("verb", "dance", "own", CLASH),
        ("verb", "dance", "sit", CLASH),
        ("adj", "red", "blue", EXCLUDES), ("adj", "grey", "gray", FITS), ("adj", "two", "three", EXCLUDES),
        ("adj", "two", "several", UNRELATED), ("adj", "red", "colorful", UNRELATED), ("adj", "red", "old", UNRELATED),
        ("adj", "young", "old", EXCLUDES), ("adj", "happy", "red", UNRELATED),
    ],
)  # fmt: skip
def test_words_for_one_slot_exclude_each_other_or_fit(part, one, other, relation):
    assert relation_of(part, one, other) == relation


@given(st.sampled_from([("noun", NOUNS), ("verb", VERBS), ("adj", ADJECTIVES)]), st.data())
def test_the_order_of_two_words_does_not_matter_and_a_word_fits_itself(kind, data):
    part, words = kind
    one, other = (data.draw(st.sampled_from(words)) for _ in range(2))
    assert relation_of(part, one, other) == relation_of(part, other, one)
    assert relation_of(part, one, one) == FITS and entails(part, one, one)
    if relation_of(part, one, other) == EXCLUDES:
        assert not entails(part, one, other)


@pytest.mark.parametrize(
    ("part", "said", "value", "is_told"),
    [
        ("noun", "poodle", "dog", True), ("noun", "dog", "poodle", False), ("noun", "woman", "girl", True),
        ("noun", "person", "woman", False), ("noun", "video game", "game", True), ("noun", "dog", "cat", False),
        ("verb", "chop", "cut", True), ("verb", "sing", "dance", False), ("adj", "gray", "grey", True),
    ],
)  # fmt: skip
def test_what_is_more_special_entails_what_is_more_general(part, said, value, is_told):
    assert entails(part, said, value) == is_told


def test_people_bodies_and_vague_verbs_are_no_common_ground():
    assert [is_specific("noun", word) for word in ("guitar", "dog", "beach")] == [True] * 3
    assert [is_specific("noun", word) for word in ("man", "singer", "hand", "thing")] == [False] * 4
    assert (is_specific("verb", "dance"), is_specific("verb", "look"), is_specific("adj", "red")) == (
        True,
        False,
        False,
    )

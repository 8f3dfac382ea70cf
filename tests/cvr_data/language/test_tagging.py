"""Lemmas of words without their captions."""

import pyarrow as pa
import pytest

from cvr_data.language.tagging import lemmas


@pytest.mark.parametrize(
    ("word", "part", "expected"),
    [
        ("running", "VERB", "run"), ("runs", "VERB", "run"), ("sing", "VERB", "sing"), ("singing", "VERB", "sing"),
        ("saw", "VERB", "see"), ("men", "NOUN", "man"), ("dogs", "NOUN", "dog"), ("glass", "NOUN", "glass"),
        ("glasses", "NOUN", "glass"), ("building", "NOUN", "building"), ("bigger", "ADJ", "big"),
        ("xyzs", None, "xyzs"), ("bus", "NOUN", "bus"),
        ("red cars", "NOUN", "red cars"), ("", None, ""),
    ],
)  # fmt: skip
def test_a_word_has_the_lemma_of_its_part_of_speech(word, part, expected):
    found = lemmas(pa.array([word, "dog"]), pa.array([part, "NOUN"], pa.string()))
    assert found.to_pylist() == [expected, "dog"]


def test_no_words_are_no_error():
    assert lemmas(pa.array([], pa.string()), pa.array([], pa.string())).to_pylist() == []

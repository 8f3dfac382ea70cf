"""normalise: hand-checked words, and what must hold for any text."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.normalise import _pieces, normalised, word_counts, word_ids, word_lists, words

TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog runs.", ["a", "dog", "runs"]),
        ("“A well‐known dog’s toy!”", ["a", "well-known", "dog's", "toy"]),
        ("a well\u2011known dog´s toy", ["a", "well-known", "dog's", "toy"]),
        ("don't rock 'n' roll", ["don't", "rock", "n", "roll"]),
        ("sun - set , 5% of $10", ["sun", "set", "5", "of", "10"]),
        ("2018\u00a04k ﬁlm, ＲＥＤ", ["2018", "4k", "film", "red"]),
        ("soft\u00adly zero\u200bwidth \ufeffbegins", ["softly", "zerowidth", "begins"]),
        ("„Köln“ 。 e\u0301te\u0301", ["köln", "été"]),
        ("red/blue C++ #tag", ["red/blue", "c", "tag"]),
        ("_ - … ''", []),
        ("", []),
    ],
)
def test_words_are_what_a_person_would_count(text, expected):
    assert words(text) == expected


def test_a_null_text_has_no_words_and_keeps_its_place():
    texts = pa.array(["a b", None, "", "c"])
    assert word_lists(texts).to_pylist() == [["a", "b"], [], [], ["c"]]
    assert word_counts(texts).to_pylist() == [2, 0, 0, 1]
    assert normalised(texts).to_pylist() == ["a b", "", "", "c"]


def test_no_texts_give_no_words():
    assert word_lists(pa.array([], pa.string())).to_pylist() == []
    assert word_lists(pa.chunked_array([], pa.string())).to_pylist() == []


def test_the_vocabulary_is_sorted_and_has_each_word_once():
    found = word_ids(pa.array(["the dog", "The cat, the dog!"]))
    assert found.vocabulary.to_pylist() == ["cat", "dog", "the"]
    assert found.ids.tolist() == [2, 1, 2, 0, 2, 1]
    assert found.offsets.tolist() == [0, 2, 6]


@pytest.mark.parametrize("text", ["", "red", "red sat", "red sat ", " red sat\n", "  ", "é \u3000"])
@pytest.mark.parametrize("byte", [0x00, 0x20, 0x80, 0xC3, 0xFF])
def test_what_lies_behind_a_text_in_memory_does_not_matter(text, byte):
    content = text.encode()
    offsets = np.array([0, len(content)], np.int32)
    buffers = [pa.py_buffer(offsets), pa.py_buffer(content + bytes([byte]) * 8)]
    array = pa.StringArray.from_buffers(1, *buffers)
    assert [piece for piece in _pieces(array).to_pylist()[0] if piece] == text.split()


@given(TEXTS)
def test_normalising_twice_changes_nothing(text):
    once = " ".join(words(text))
    assert " ".join(words(once)) == once


@given(TEXTS)
def test_a_word_has_no_space_and_no_sign_at_its_ends(text):
    for word in words(text):
        assert word
        assert not any(character.isspace() for character in word)
        assert not {unicodedata.category(word[0])[0], unicodedata.category(word[-1])[0]} & {"P", "S"}


@given(st.lists(TEXTS, max_size=6))
def test_a_text_does_not_depend_on_its_company(texts):
    together = word_lists(pa.array(texts, pa.string())).to_pylist()
    assert together == [words(text) for text in texts]


@given(st.lists(TEXTS, min_size=2, max_size=6), st.integers(1, 5))
def test_slices_and_chunks_do_not_matter(texts, cut):
    whole = pa.array(texts, pa.string())
    chunked = pa.chunked_array([whole.slice(0, cut), whole.slice(cut)])
    assert word_lists(chunked).to_pylist() == word_lists(whole).to_pylist()
    assert word_lists(whole.slice(1)).to_pylist() == word_lists(whole).to_pylist()[1:]

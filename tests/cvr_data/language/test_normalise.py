"""normalise: hand-checked words, and what must hold for any text."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.language import normalise
from cvr_data.language.normalise import _pieces, normalised, word_counts, word_ids, word_lists, words

ASCII = [chr(code) for code in range(128)]
BEYOND = list("éÉßĀ字、…´’‐‑ʼ×½ﬁＲ¨\u0301\u200b\u00ad\u00a0\u2003\u2028\u0085")
MIXED = st.lists(st.text(alphabet=st.sampled_from(ASCII + list("ab -'`. ") * 9 + BEYOND), max_size=30), max_size=6)
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


def slow_words(text):
    """The words of a text as the docstring of the module says, one character at a time."""
    found = []
    for piece in unicodedata.normalize("NFKC", text.replace("´", "'")).lower().split():
        seen = "".join(character for character in piece if character not in "\u00ad\u200b\u2060\ufeff")
        plain = "".join("'" if c in "‘’ʼʹ`′‵" else "-" if c in "\u2010\u2011" else c for c in seen)
        word = list(unicodedata.normalize("NFKC", plain).lower())
        for end in (0, -1):
            while word and unicodedata.category(word[end])[0] in "PS":
                word.pop(end)
        found.extend(["".join(word)] if word else [])
    return found


@given(MIXED)
def test_words_found_in_bytes_are_those_of_the_slow_definition(texts):
    assert word_lists(pa.array(texts, pa.string())).to_pylist() == [slow_words(text) for text in texts]


@pytest.mark.parametrize("sign", ASCII)
def test_each_ascii_character_is_a_space_a_sign_or_part_of_a_word(sign):
    texts = [sign, f"a{sign}b", f"{sign}a{sign}{sign}B{sign}", f"é{sign}a {sign}"]
    assert word_lists(pa.array(texts)).to_pylist() == [slow_words(text) for text in texts]


def test_words_of_any_length_beside_each_other_are_told_apart():
    said = ["a" * size + end for size in range(20) for end in ("", "\0", "b")]
    assert words(" ".join(said)) == [word for word in said if word]


def test_blocks_do_not_matter(monkeypatch):
    texts = pa.array(["a red dog", None, "a dog’s life", "", "RED!", "life - a dog"])
    whole = word_ids(texts)
    monkeypatch.setattr(normalise, "BLOCK", 2)
    parts = word_ids(texts)
    assert parts.ids.tolist() == whole.ids.tolist()
    assert parts.offsets.tolist() == whole.offsets.tolist()
    assert parts.vocabulary.equals(whole.vocabulary)

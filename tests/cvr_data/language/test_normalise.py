"""normalise: texts as they are stored, and the words of many texts as those of each."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.language import normalise
from cvr_data.language.normalise import (
    _pieces,
    normalise_text_columns,
    normalise_texts,
    normalised,
    word_counts,
    word_ids,
    word_lists,
)
from cvr_data.language.words import clean_text, is_invisible, words_of

ASCII = [chr(code) for code in range(128)]
BEYOND = list("éÉßĀ字々、…´’‐‑ʼ×½ﬁＲ¨ЖΣςがアก็هัٌ한🚒・９\u0301\u200b\u200d\u202b\ufe0f\u00ad\u00a0\u2003\u2028\u0085")
MIXED = st.lists(st.text(alphabet=st.sampled_from(ASCII + list("ab -'`.,_/1 ") * 9 + BEYOND), max_size=30), max_size=6)
TEXTS = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=40)


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


@given(st.lists(TEXTS, max_size=6))
def test_words_found_together_are_those_of_each_text(texts):
    assert word_lists(pa.array(texts, pa.string())).to_pylist() == [words_of(text) for text in texts]


@given(st.lists(TEXTS, min_size=2, max_size=6), st.integers(1, 5))
def test_slices_and_chunks_do_not_matter(texts, cut):
    whole = pa.array(texts, pa.string())
    chunked = pa.chunked_array([whole.slice(0, cut), whole.slice(cut)])
    assert word_lists(chunked).to_pylist() == word_lists(whole).to_pylist()
    assert word_lists(whole.slice(1)).to_pylist() == word_lists(whole).to_pylist()[1:]


@given(MIXED)
def test_words_found_in_bytes_are_those_of_the_plain_definition(texts):
    assert word_lists(pa.array(texts, pa.string())).to_pylist() == [words_of(text) for text in texts]


@pytest.mark.parametrize("sign", ASCII)
def test_each_ascii_character_is_a_space_a_sign_or_part_of_a_word(sign):
    texts = [sign, f"a{sign}b", f"{sign}a{sign}{sign}B{sign}", f"é{sign}a {sign}"]
    assert word_lists(pa.array(texts)).to_pylist() == [words_of(text) for text in texts]


def test_words_of_any_length_beside_each_other_are_told_apart():
    said = ["a" * size + end for size in range(20) for end in ("", "b", "'s")]
    told = [word.strip("'") for word in said if word]
    assert word_lists(pa.array([" ".join(said)])).to_pylist() == [told]


def test_blocks_do_not_matter(monkeypatch):
    texts = pa.array(["a red dog", None, "a dog’s life", "", "RED!", "life - a dog"])
    whole = word_ids(texts)
    monkeypatch.setattr(normalise, "BLOCK", 2)
    parts = word_ids(texts)
    assert parts.ids.tolist() == whole.ids.tolist()
    assert parts.offsets.tolist() == whole.offsets.tolist()
    assert parts.vocabulary.equals(whole.vocabulary)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A “Café”, 5 m² of STRASSE/straße\n", "A “Café”, 5 m² of STRASSE/straße\n"),
        ("cafe\u0301", "café"),
        ("a\0b \x07", "ab "),
        ("\ufeffa \u200bdog\u200e \u202eruns\u202c", "a dog runs"),
        ("собака, 一只狗, หมา, \u2764\ufe0f", "собака, 一只狗, หมา, \u2764\ufe0f"),
    ],
)
def test_a_stored_text_is_nfc_and_all_of_it_can_be_seen(text, expected):
    assert clean_text(text) == expected
    assert normalise_texts(pa.array([text, None, "a"])).to_pylist() == [expected, None, "a"]


@given(TEXTS)
def test_cleaning_loses_nothing_that_can_be_seen(text):
    stored = clean_text(text)
    assert unicodedata.is_normalized("NFC", stored) and not any(map(is_invisible, stored))
    assert clean_text(stored) == stored
    assert normalise_texts(pa.array([text])).to_pylist() == [stored]
    seen = "".join(letter for letter in text if not is_invisible(letter))
    assert unicodedata.normalize("NFD", stored) == unicodedata.normalize("NFD", seen)


def test_columns_of_texts_and_of_lists_are_cleaned_in_their_place():
    table = pa.table({"captions": [["a\0", "b"], [], ["c\u200b"]], "description": ["d\ufeff", None, "e"]}).slice(1)
    cleaned = normalise_text_columns(table, ("captions", "description", "absent"))
    assert cleaned.to_pydict() == {"captions": [[], ["c"]], "description": [None, "e"]}

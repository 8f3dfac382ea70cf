"""The one normaliser of captions: what counts as a word, and when two words are the same.

Unicode is brought to NFKC and case folded to lower; invisible characters are dropped, curly apostrophes and Unicode
hyphens become plain ones; words are split at white space and lose the punctuation and symbols around them, so a piece
that is nothing else is no word. Hyphenated words and inner apostrophes stay whole. So `“A well‐known dog’s toy!”` is
`a well-known dog's toy`, and `C++` is `c`.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ACUTE = "´"  # NFKC would make a space of it
_INVISIBLE = "[\u00ad\u200b\u2060\ufeff]"
_APOSTROPHES = "[‘’ʼʹ`′‵]"
_HYPHENS = "[\u2010\u2011]"
_SURROUNDING = r"^[\p{P}\p{S}]+|[\p{P}\p{S}]+$"


@dataclass(frozen=True)
class WordIds:
    """The words of many texts as numbers; equal words have equal numbers."""

    offsets: np.ndarray
    """int64, where each text's words begin in `ids`, one more than texts."""
    ids: np.ndarray
    """int32, rows of `vocabulary`."""
    vocabulary: pa.Array
    """The distinct words, sorted."""


def word_ids(texts: pa.Array | pa.ChunkedArray) -> WordIds:
    """Return the words of each text as numbers; a null text has none. Each distinct piece is cleaned once."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    plain = pc.replace_substring(pc.fill_null(texts.cast(pa.string()), ""), _ACUTE, "'")
    pieces = _pieces(pc.utf8_lower(pc.utf8_normalize(plain, form="NFKC")))
    encoded = pc.list_flatten(pieces).dictionary_encode()
    cleaned = _cleaned(encoded.dictionary)
    vocabulary = pc.unique(cleaned.filter(pc.not_equal(cleaned, ""))).sort()
    word_of_piece = pc.fill_null(pc.index_in(cleaned, vocabulary), -1).to_numpy(zero_copy_only=False).astype(np.int32)
    ids = word_of_piece[encoded.indices.to_numpy(zero_copy_only=False)]
    is_word = ids >= 0
    words_before = np.append(0, np.cumsum(is_word))
    return WordIds(words_before[pieces.offsets.to_numpy(zero_copy_only=False)], ids[is_word], vocabulary)


def word_lists(texts: pa.Array | pa.ChunkedArray) -> pa.ListArray:
    """Return the words of each text, as a list array of the same length; a null text has none."""
    found = word_ids(texts)
    return pa.ListArray.from_arrays(pa.array(found.offsets, pa.int32()), found.vocabulary.take(pa.array(found.ids)))


def word_counts(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return how many words each text has."""
    return pa.array(np.diff(word_ids(texts).offsets))


def normalised(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return each text as its words joined by single spaces."""
    return pc.binary_join(word_lists(texts), " ")


def words(text: str) -> list[str]:
    """Return the words of one text."""
    return word_lists(pa.array([text], pa.string())).to_pylist()[0]


def _pieces(texts: pa.Array) -> pa.ListArray:
    """Split at white space; a text without any gives an empty piece.

    Trimmed first, because the kernel reads a byte beyond a text that ends in white space, and then may not split there
    (https://github.com/apache/arrow/issues/37757; about one call in 20,000).
    """
    return pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts))


def _cleaned(pieces: pa.Array) -> pa.Array:
    for pattern, plain in ((_INVISIBLE, ""), (_APOSTROPHES, "'"), (_HYPHENS, "-")):
        pieces = pc.replace_substring_regex(pieces, pattern, plain)
    pieces = pc.utf8_lower(pc.utf8_normalize(pieces, form="NFKC"))  # dropping a character can bring two together
    return pc.replace_substring_regex(pieces, _SURROUNDING, "")

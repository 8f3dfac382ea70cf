"""The one normaliser of captions: what counts as a word, and when two words are the same.

Unicode is brought to NFKC and case folded to lower; invisible characters are dropped, curly apostrophes and Unicode
hyphens become plain ones; words are split at white space and lose the punctuation and symbols around them, so a piece
that is nothing else is no word. Hyphenated words and inner apostrophes stay whole. So `“A well‐known dog’s toy!”` is
`a well-known dog's toy`, and `C++` is `c`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.language.word_bytes import block_words

BLOCK = 16_384
"""Texts looked at together: what is made of them fits a processor's cache."""
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
    """Return the words of each text as numbers; a null text has none."""
    blocks = [block_words(_plain(block)) for block in _blocks(texts)]
    distinct = pa.concat_arrays([pa.array([], pa.string()), *(block.distinct for block in blocks)])
    vocabulary = pc.unique(distinct).sort()
    id_of_distinct = pc.index_in(distinct, vocabulary).to_numpy(zero_copy_only=False)
    ids, first = [np.empty(0, np.int32)], 0
    for block in blocks:
        ids.append(id_of_distinct[first : first + len(block.distinct)][block.places])
        first += len(block.distinct)
    sizes = np.concatenate([np.zeros(1, np.int64), *(block.sizes for block in blocks)])
    return WordIds(np.cumsum(sizes), np.concatenate(ids), vocabulary)


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


def _blocks(texts: pa.Array | pa.ChunkedArray) -> Iterator[pa.Array]:
    for chunk in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        for start in range(0, len(chunk), BLOCK):
            yield pc.fill_null(chunk.slice(start, BLOCK).cast(pa.string()), "")


def _plain(texts: pa.Array) -> pa.Array:
    """Return the texts with those beyond ASCII cleaned, so that their words can be found in the bytes."""
    is_ascii = pc.string_is_ascii(texts)
    if pc.all(is_ascii).as_py() is not False:
        return texts
    is_beyond = pc.invert(is_ascii)
    return pc.replace_with_mask(texts, is_beyond, _cleaned(texts.filter(is_beyond)))


def _cleaned(texts: pa.Array) -> pa.Array:
    """Return the words of each text with spaces between them; each distinct piece is cleaned once."""
    plain = pc.replace_substring(texts, _ACUTE, "'")
    pieces = _pieces(pc.utf8_lower(pc.utf8_normalize(plain, form="NFKC")))
    encoded = pc.list_flatten(pieces).dictionary_encode()
    cleaned = _cleaned_pieces(encoded.dictionary).take(encoded.indices)
    return pc.binary_join(pa.ListArray.from_arrays(pieces.offsets, cleaned), " ")


def _pieces(texts: pa.Array) -> pa.ListArray:
    """Split at white space; a text without any gives an empty piece.

    Trimmed first, because the kernel reads a byte beyond a text that ends in white space, and then may not split there
    (https://github.com/apache/arrow/issues/37757; about one call in 20,000).
    """
    return pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts))


def _cleaned_pieces(pieces: pa.Array) -> pa.Array:
    for pattern, plain in ((_INVISIBLE, ""), (_APOSTROPHES, "'"), (_HYPHENS, "-")):
        pieces = pc.replace_substring_regex(pieces, pattern, plain)
    pieces = pc.utf8_lower(pc.utf8_normalize(pieces, form="NFKC"))  # dropping a character can bring two together
    return pc.replace_substring_regex(pieces, _SURROUNDING, "")

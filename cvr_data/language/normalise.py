"""The one form of texts: as they are stored, and the words of many of them at once.

A stored text is in Unicode's NFC and has no control, zero-width or direction mark; nothing else of it is touched, so
that accents, scripts, capitals and signs are as written. Every text that is imported, or that a person or a language
model writes, passes `clean_text`. The words are those of `cvr_data.language.words`, found in bytes.
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column
from cvr_data.language.word_bytes import split_words_in_bytes
from cvr_data.language.words import clean_text, words_of

BLOCK = 16_384
"""Texts looked at together: what is made of them fits a processor's cache."""
_ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
_TO_CLEAN = r"[\x00-\x08\x0e-\x1f\x7f]|[^\x00-\x7f]"


def normalise_texts(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return each text as it is stored; null stays null."""
    return _changed(texts, _TO_CLEAN, clean_text)


def normalise_html_entities(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return each text with the entities of HTML in it as the signs they stand for, once: `&amp;lt;` is `&lt;`."""
    return _changed(texts, _ENTITY, lambda text: re.sub(_ENTITY, lambda found: html.unescape(found[0]), text))


def _changed(texts: pa.Array | pa.ChunkedArray, pattern: str, change: Callable[[str], str]) -> pa.Array:
    """Return the texts with those changed that the pattern is found in."""
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    needs = pc.fill_null(pc.match_substring_regex(whole, pattern), False)
    if not pc.any(needs).as_py():
        return whole
    changed = [change(text) for text in whole.filter(needs).to_pylist()]
    return pc.replace_with_mask(whole, needs, pa.array(changed, whole.type))


def normalise_text_columns(table: pa.Table, names: Sequence[str], *, decode: bool = False) -> pa.Table:
    """Return the table with these columns, of texts or of lists of texts, as they are stored; an absent one is none.

    Args:
        table: with the columns or without.
        names: of the columns.
        decode: also decode entities of HTML: done once, where texts come in.
    """
    clean = (lambda texts: normalise_texts(normalise_html_entities(texts))) if decode else normalise_texts
    for name in (name for name in names if name in table.column_names):
        column = table.column(name).combine_chunks()
        if pa.types.is_list(column.type):
            lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
            offsets = pa.array(np.append(0, np.cumsum(lengths)), pa.int32())
            column = pa.ListArray.from_arrays(
                offsets, clean(pc.list_flatten(column)), type=column.type, mask=pc.is_null(column)
            )
        else:
            column = clean(column)
        table = with_column(table, table.schema.field(name), column)
    return table


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
    blocks = [split_words_in_bytes(_plain(block)) for block in _blocks(texts)]
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


def _blocks(texts: pa.Array | pa.ChunkedArray) -> Iterator[pa.Array]:
    for chunk in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        for start in range(0, len(chunk), BLOCK):
            yield pc.fill_null(chunk.slice(start, BLOCK).cast(pa.string()), "")


def _plain(texts: pa.Array) -> pa.Array:
    """Return the texts with those beyond ASCII made of words and spaces alone, so that bytes tell their words."""
    is_ascii = pc.string_is_ascii(texts)
    if pc.all(is_ascii).as_py() is not False:
        return texts
    is_beyond = pc.invert(is_ascii)
    return pc.replace_with_mask(texts, is_beyond, _cleaned(texts.filter(is_beyond)))


def _cleaned(texts: pa.Array) -> pa.Array:
    """Return the words of each text with spaces between them; each distinct piece is looked at once."""
    pieces = _pieces(texts)
    encoded = pc.list_flatten(pieces).dictionary_encode()
    cleaned = [" ".join(words_of(piece)) for piece in encoded.dictionary.to_pylist()]
    spaced = pa.array(cleaned, pa.string()).take(encoded.indices)
    return pc.binary_join(pa.ListArray.from_arrays(pieces.offsets, spaced), " ")


def _pieces(texts: pa.Array) -> pa.ListArray:
    """Split at white space; a text without any gives an empty piece.

    Trimmed first, because the kernel reads a byte beyond a text that ends in white space, and then may not split there
    (https://github.com/apache/arrow/issues/37757; about one call in 20,000).
    """
    return pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts))

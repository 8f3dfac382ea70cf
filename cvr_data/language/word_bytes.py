"""The words of plain texts, found in their bytes: what `cvr_data.language.words` says, for texts that need no Unicode.

A text is plain if it is ASCII, or nothing but words and spaces: bytes beyond ASCII then belong to words and stay as
they are. All texts of a block are joined and looked at byte by byte with NumPy. A word of up to eight bytes is one
number, so most words are told apart without making a string of each.
"""

# Shapes: W words of a block.

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_PLAIN = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ`", b"abcdefghijklmnopqrstuvwxyz'")
_DIGITS = b"0123456789"
_PARTS, _DIGIT, _CORE, _JOINS, _JOINS_DIGITS = range(5)
_CLASSES = bytes(
    _DIGIT if byte in _DIGITS
    else _CORE if byte in b"abcdefghijklmnopqrstuvwxyz" or byte >= 0x80
    else _JOINS if byte in b"'-"
    else _JOINS_DIGITS if byte in b".,"
    else _PARTS
    for byte in range(256)
)  # fmt: skip
"""Whether a byte of a plain text parts words, is of one, or joins what is on its two sides."""
_SHORT = 8
_FILLING = np.array([0x2020202020202020 << 8 * size & 2**64 - 1 for size in range(_SHORT + 1)], np.uint64)
"""Spaces in the bytes behind a word of this size; no word has one."""
_OWN = np.array([2 ** (8 * size) - 1 for size in range(_SHORT + 1)], np.uint64)


@dataclass(frozen=True)
class BlockWords:
    """The words of a block of texts."""

    sizes: np.ndarray
    """Words of each text."""
    places: np.ndarray
    """int32, where each word is in `distinct`."""
    distinct: pa.Array
    """Each word once, in no order."""


def split_words_in_bytes(texts: pa.Array) -> BlockWords:
    """Return the words of plain texts, none of them null; the texts have less than 2 GiB."""
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts), " ")
    content = b"".join([b" ", joined[0].as_buffer(), b" " * _SHORT]).translate(_PLAIN)
    starts_W, ends_W = _spans(content)
    text_starts = 1 + np.append(0, np.cumsum(pc.binary_length(texts).to_numpy(zero_copy_only=False) + np.int64(1)))
    sizes = np.diff(np.searchsorted(starts_W, text_starts))
    is_short = ends_W - starts_W <= _SHORT
    short = _keys(content, starts_W[is_short], ends_W[is_short]).dictionary_encode()
    long = _strings(content, starts_W, ends_W).take(pa.array(2 * np.flatnonzero(~is_short))).dictionary_encode()
    places_W = np.empty(len(starts_W), np.int32)
    places_W[is_short] = short.indices.to_numpy()
    places_W[~is_short] = long.indices.to_numpy() + np.int32(len(short.dictionary))
    return BlockWords(sizes, places_W, pa.concat_arrays([_spelled(short.dictionary), long.dictionary]))


def _spans(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return where words begin and end; content begins and ends with a space."""
    classes = np.frombuffer(content.translate(_CLASSES), np.uint8)
    is_word = (classes == _DIGIT) | (classes == _CORE)
    joins = np.flatnonzero(classes >= _JOINS)
    before, after = classes[joins - 1], classes[joins + 1]
    of_digits = (before == _DIGIT) & (after == _DIGIT)
    of_words = is_word[joins - 1] & is_word[joins + 1] & (classes[joins] == _JOINS)
    is_word[joins[of_digits | of_words]] = True
    edges = np.flatnonzero(is_word[1:] != is_word[:-1]) + 1
    return edges[::2], edges[1::2]


def _keys(content: bytes, starts: np.ndarray, ends: np.ndarray) -> pa.Array:
    """Return each short word as a number: its bytes, and spaces behind."""
    eight_bytes_from = np.ndarray(len(content) - _SHORT + 1, "<u8", content, strides=(1,))
    sizes = ends - starts
    return pa.array(eight_bytes_from[starts] & _OWN[sizes] | _FILLING[sizes])


def _spelled(keys: pa.Array) -> pa.Array:
    characters = keys.to_numpy().astype("<u8").tobytes()
    spelled = pa.Array.from_buffers(pa.binary(_SHORT), len(keys), [None, pa.py_buffer(characters)])
    return pc.ascii_rtrim(spelled.cast(pa.binary()).cast(pa.string()), characters=" ")


def _strings(content: bytes, starts: np.ndarray, ends: np.ndarray) -> pa.Array:
    """Return the words, and between each two what parts them, as strings that share the content's memory."""
    bounds = np.append(np.column_stack([starts, ends]).ravel(), len(content)).astype(np.int32)
    return pa.StringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), pa.py_buffer(content))

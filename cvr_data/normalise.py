"""The one normaliser of captions: what counts as a word, and when two words are the same.

Unicode is brought to NFKC, curly apostrophes become straight, case is folded to lower, words are split at white space
and their surrounding punctuation is stripped; hyphenated words and inner apostrophes stay whole. So `“A well-known
dog’s toy!”` is `a well-known dog's toy`.
"""

import pyarrow as pa
import pyarrow.compute as pc

PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~“”„‟«»‹›–—‐‑…•·¡¿′″‚‛"
_APOSTROPHES = "[‘’ʼ´`＇]"


def word_lists(texts: pa.Array | pa.ChunkedArray) -> pa.ListArray:
    """Return the words of each text, as a list array of the same length; a null text has none."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    plain = pc.fill_null(texts.cast(pa.string()), "")
    plain = pc.utf8_lower(pc.utf8_normalize(plain, form="NFKC"))
    plain = pc.replace_substring_regex(plain, _APOSTROPHES, "'")
    pieces = pc.utf8_split_whitespace(plain)
    words = pc.utf8_trim(pc.list_flatten(pieces), characters=PUNCTUATION)
    rows = pc.list_parent_indices(pieces)
    is_word = pc.not_equal(words, "")
    return _lists(words.filter(is_word), rows.filter(is_word), len(texts))


def normalised(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return each text as its words joined by single spaces."""
    return pc.binary_join(word_lists(texts), " ")


def words(text: str) -> list[str]:
    """Return the words of one text."""
    return word_lists(pa.array([text], pa.string())).to_pylist()[0]


def _lists(values: pa.Array, rows: pa.Array, count: int) -> pa.ListArray:
    import numpy as np

    lengths = np.bincount(rows.to_numpy(zero_copy_only=False), minlength=count)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)

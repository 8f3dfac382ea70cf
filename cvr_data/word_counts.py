"""How often the words of a change are in the captions of the corpus: a rare word is a name, a slip or a foreign one."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.normalise import word_ids

CHANGE_COUNT = pa.struct([("before", pa.int64()), ("after", pa.int64())])


def change_counts(pairs: pa.Table, videos: pa.Table) -> pa.ListArray:
    """Return, aligned with `changes`, how often the rarest word of each phrase is in the videos' captions.

    Null where a phrase has no word.
    """
    corpus = word_ids(pc.list_flatten(videos.column("captions")))
    uses = np.bincount(corpus.ids, minlength=len(corpus.vocabulary))
    changes = pairs.column("changes").combine_chunks()
    structs = pc.list_flatten(changes)
    sides = [_rarest(pc.struct_field(structs, side), corpus.vocabulary, uses) for side in ("before", "after")]
    lengths = pc.fill_null(pc.list_value_length(changes), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.append(0, np.cumsum(lengths)), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(sides, fields=list(CHANGE_COUNT)))


def _rarest(phrases: pa.Array, vocabulary: pa.Array, uses: np.ndarray) -> pa.Array:
    named = phrases.dictionary_encode()
    words = word_ids(named.dictionary)
    rows = pc.index_in(words.vocabulary, vocabulary).to_numpy(zero_copy_only=False)
    known = np.where(np.isnan(rows), 0, np.append(uses, 0)[np.nan_to_num(rows, nan=-1).astype(np.int64)])
    has_words = np.diff(words.offsets) > 0
    counts = np.zeros(len(named.dictionary), np.int64)
    if has_words.any():
        counts[has_words] = np.minimum.reduceat(known[words.ids], words.offsets[:-1][has_words])
    return pa.array(counts, mask=~has_words).take(named.indices)

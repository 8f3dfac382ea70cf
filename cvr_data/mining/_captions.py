"""The distinct captions of a corpus as word ids, and which videos have them."""

# Shapes: N captions of one length, L words.

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.normalise import word_lists


@dataclass(frozen=True)
class Captions:
    """Distinct captions (equal after normalising), sorted by their words; arrays run over captions unless said."""

    offsets: np.ndarray
    """Where each caption's words begin in `word_ids`, one more than captions."""
    word_ids: np.ndarray
    """int32 ids of all words, joined."""
    vocabulary: pa.Array
    """Word id -> word."""
    video_offsets: np.ndarray
    """Where each caption's videos begin in `video_rows`, one more than captions."""
    video_rows: np.ndarray
    """Rows of `video_ids` that have the caption, joined."""
    texts: pa.Array
    """The caption as written, one per entry of `video_rows`."""
    video_ids: pa.Array
    """Sorted ids of the videos."""
    crowded: list[tuple[str, int]]
    """(caption, videos) of captions that too many videos share; they have no videos here."""

    def rows_by_length(self) -> Iterator[np.ndarray]:
        """Yield the captions that have videos, those with equally many words together."""
        lengths = np.diff(self.offsets)
        has_videos = np.diff(self.video_offsets) > 0
        for length in np.unique(lengths[has_videos]):
            yield np.flatnonzero((lengths == length) & has_videos)

    def words_of(self, rows: np.ndarray) -> np.ndarray:
        """Return ids_NL of captions with equally many words."""
        length = int(self.offsets[rows[0] + 1] - self.offsets[rows[0]])
        return self.word_ids[self.offsets[rows][:, None] + np.arange(length)]

    def blanked(self, row: int, position: int) -> str:
        """Return the caption's words with one replaced by a blank."""
        words = self.vocabulary.take(self.word_ids[self.offsets[row] : self.offsets[row + 1]]).to_pylist()
        words[position] = "_"
        return " ".join(words)


def read_captions(videos: pa.Table, min_words: int, max_videos: int) -> Captions:
    """Return the distinct captions of at least `min_words` words; the order of the videos does not matter."""
    ordered = videos.select(["video_id", "captions"]).sort_by("video_id")
    lists = ordered.column("captions").combine_chunks()
    rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    texts = pc.list_flatten(lists)
    words = word_lists(texts)
    is_long = pc.list_value_length(words).to_numpy(zero_copy_only=False) >= min_words
    rows, texts, words = rows[is_long], texts.filter(pa.array(is_long)), words.filter(pa.array(is_long))

    keys = pc.binary_join(words, " ")
    order = np.lexsort((rows, pc.rank(keys, tiebreaker="dense").to_numpy()))
    keys, texts, rows = keys.take(order), texts.take(order), rows[order]
    is_first = _is_first(keys)
    is_kept = is_first | np.r_[False, np.diff(rows) != 0]  # a video may say the same thing twice
    keys, texts, rows, is_first = keys.filter(is_kept), texts.filter(is_kept), rows[is_kept], is_first[is_kept]
    starts = np.append(np.flatnonzero(is_first), len(rows))
    distinct = keys.take(starts[:-1])
    return _captions(distinct, starts, rows, texts, ordered.column("video_id").combine_chunks(), max_videos)


def _captions(
    distinct: pa.Array, starts: np.ndarray, rows: np.ndarray, texts: pa.Array, video_ids: pa.Array, max_videos: int
) -> Captions:
    sizes = np.diff(starts)
    is_crowded = sizes > max_videos
    keep = ~np.repeat(is_crowded, sizes)
    words = pc.split_pattern(distinct, " ")
    encoded = pc.list_flatten(words).dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return Captions(
        offsets=np.append(0, np.cumsum(pc.list_value_length(words).to_numpy(zero_copy_only=False))).astype(np.int64),
        word_ids=encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32),
        vocabulary=encoded.dictionary,
        video_offsets=np.append(0, np.cumsum(np.where(is_crowded, 0, sizes))),
        video_rows=rows[keep],
        texts=texts.filter(pa.array(keep)),
        video_ids=video_ids,
        crowded=list(zip(distinct.filter(pa.array(is_crowded)).to_pylist(), sizes[is_crowded].tolist(), strict=True)),
    )


def _is_first(sorted_keys: pa.Array) -> np.ndarray:
    if not len(sorted_keys):
        return np.empty(0, bool)
    changed = pc.not_equal(sorted_keys.slice(1), sorted_keys.slice(0, len(sorted_keys) - 1))
    return np.append(True, changed.to_numpy(zero_copy_only=False))

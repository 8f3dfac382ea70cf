"""The distinct captions of a corpus as word ids, and which videos have them."""

# Shapes: N captions of one length, L words. An entry is one caption of one video.

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.lib.stride_tricks import sliding_window_view

from cvr_data.core.columns import whole_column
from cvr_data.language.normalise import WordIds, word_ids
from cvr_data.pairs.search.groups import equal_rows


@dataclass(frozen=True)
class Captions:
    """Distinct captions (equal after normalising), the shortest first; arrays run over captions unless said."""

    lengths: np.ndarray
    """Words of each caption, rising."""
    word_ids: np.ndarray
    """int32 ids of all words, joined."""
    vocabulary: pa.Array
    """Word id -> word."""
    entry_offsets: np.ndarray
    """Where each caption's entries begin, one more than captions."""
    video_rows: np.ndarray
    """Entry -> row of `video_ids`; a video is once under a caption."""
    texts: pa.Array
    """Entry -> the caption as written."""
    video_ids: pa.Array
    """Sorted ids of the videos."""
    crowded: list[tuple[str, int]]
    """(caption, videos) of the captions that too many videos share; they are not among the others."""

    def of_each_length(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number of the first caption, ids_NL) for the captions of each length."""
        word = 0
        lengths, firsts, counts = np.unique(self.lengths, return_index=True, return_counts=True)
        for length, first, count in zip(lengths.tolist(), firsts.tolist(), counts.tolist(), strict=True):
            yield first, self.word_ids[word : word + length * count].reshape(count, length)
            word += length * count

    def text_of(self, ids_L: np.ndarray, blank: int | None = None) -> str:
        """Return the words of a caption, one of them blanked."""
        return blanked_captions_to_mine(self.vocabulary.take(pa.array(ids_L)).to_pylist(), blank)


def blanked_captions_to_mine(words: list[str], blank: int | None) -> str:
    """Return the words with the one at `blank` replaced by a sign that no word can be."""
    return " ".join("_" if position == blank else word for position, word in enumerate(words))


def read_captions_to_mine(videos: pa.Table, min_words: int, max_videos: int) -> Captions:
    """Return the distinct captions of at least `min_words` words; the order of the videos does not matter."""
    order = pc.sort_indices(videos.column("video_id"))
    video_ids, lists = (videos.column(name).combine_chunks().take(order) for name in ("video_id", "captions"))
    rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    texts = pc.list_flatten(lists)
    words = word_ids(texts)
    entries, is_first = _equal_together(words, min_words)
    is_kept = is_first | np.append(False, np.diff(rows[entries]) != 0)[: len(entries)]  # a video may repeat itself
    entries, is_first = entries[is_kept], is_first[is_kept]
    starts = np.flatnonzero(is_first)
    sizes = np.diff(np.append(starts, len(entries)))
    is_crowded = sizes > max_videos
    firsts, crowded = entries[starts[~is_crowded]], entries[starts[is_crowded]]
    lengths = np.diff(words.offsets)[firsts]
    kept = entries[~np.repeat(is_crowded, sizes)]
    parts = [_words_of(words, firsts[lengths == length], int(length)).ravel() for length in np.unique(lengths)]
    return Captions(
        lengths=lengths,
        word_ids=np.concatenate([np.empty(0, np.int32), *parts]),
        vocabulary=words.vocabulary,
        entry_offsets=np.append(0, np.cumsum(sizes[~is_crowded])),
        video_rows=rows[kept],
        texts=texts.take(pa.array(kept)),
        video_ids=video_ids,
        crowded=sorted(zip(_texts_of(words, crowded), sizes[is_crowded].tolist(), strict=True)),
    )


def mining_caption_rows(captions: Captions, videos: pa.Table) -> pa.Table:
    """Return `text` (as first written) and `entries` of each caption: who has it how written, with the videos' columns.

    Args:
        captions: of these videos.
        videos: sorted by `video_id`.
    """
    of_videos = videos.combine_chunks().take(pa.array(captions.video_rows))
    columns = {
        "caption": captions.texts,
        **{name: whole_column(of_videos.column(name)) for name in of_videos.column_names},
    }
    entries = pa.StructArray.from_arrays(list(columns.values()), list(columns))
    firsts = captions.texts.take(pa.array(captions.entry_offsets[:-1]))
    return pa.table({"text": firsts, "entries": pa.ListArray.from_arrays(captions.entry_offsets, entries)})


def captions_of_mining_rows(entries: pa.ChunkedArray) -> tuple[Captions, np.ndarray, pa.Table]:
    """Return the captions of such rows, the shortest first, the number of each row's among them, and their videos."""
    lists = whole_column(entries)
    firsts = pc.struct_field(pc.list_element(lists, 0), "caption")
    order = np.argsort(np.diff(word_ids(firsts).offsets), kind="stable")
    lists = lists.take(pa.array(order))
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    flat = pa.Table.from_struct_array(pc.list_flatten(lists))
    ids = whole_column(flat.column("video_id"))
    video_ids = pc.unique(ids).sort()
    words = word_ids(firsts.take(pa.array(order)))
    captions = Captions(
        lengths=np.diff(words.offsets), word_ids=words.ids, vocabulary=words.vocabulary,
        entry_offsets=np.append(0, np.cumsum(pc.list_value_length(lists).to_numpy(zero_copy_only=False))),
        video_rows=pc.index_in(ids, video_ids).to_numpy(zero_copy_only=False), video_ids=video_ids,
        texts=whole_column(flat.column("caption")), crowded=[],
    )  # fmt: skip
    return captions, number, flat.drop_columns(["caption"]).take(pc.index_in(video_ids, ids))


def _equal_together(words: WordIds, min_words: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (entries by length with equal ones side by side, whether each is the first of its caption)."""
    lengths = np.diff(words.offsets)
    lengths = lengths.astype(np.min_scalar_type(lengths.max(initial=0)))  # looked at once per length
    entries, is_first = [np.empty(0, np.int64)], [np.empty(0, bool)]
    for length in np.unique(lengths[lengths >= min_words]):
        rows = np.flatnonzero(lengths == length)
        groups = equal_rows(_words_of(words, rows, int(length)))
        entries.append(rows[groups.members])
        is_first.append(np.zeros(len(rows), bool))
        is_first[-1][groups.starts] = True
    return np.concatenate(entries), np.concatenate(is_first)


def _words_of(words: WordIds, entries: np.ndarray, length: int) -> np.ndarray:
    """Return ids_NL of entries that all have this number of words."""
    captions = sliding_window_view(words.ids, length).view(f"V{words.ids.itemsize * length}")  # copied as one thing
    return captions[words.offsets[entries], 0].view(words.ids.dtype).reshape(-1, length)


def _texts_of(words: WordIds, entries: np.ndarray) -> list[str]:
    bounds = zip(words.offsets[entries].tolist(), words.offsets[entries + 1].tolist(), strict=True)
    return [
        blanked_captions_to_mine(words.vocabulary.take(pa.array(words.ids[start:end])).to_pylist(), None)
        for start, end in bounds
    ]

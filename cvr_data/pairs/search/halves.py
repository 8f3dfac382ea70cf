"""Captions by the halves of their words: those that are equal, or but for one word, have one half in common.

So a caption neither half of which any other has is in no pair and in no group (62 % of real captions), and what is left
meets by length and half: in the bucket of a half, captions are searched for those that differ in the other half. All
captions that are equal but for one word lie in one bucket, so a group of too many is seen whole there; so do all pairs
of any two captions.
"""

# Shapes: N captions, L words.

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.parts import mix_hash_bits
from cvr_data.language.normalise import WordIds, word_ids
from cvr_data.pairs.search.groups import row_hashes


def caption_halves_to_pair(config: Any, videos: pa.Table) -> pa.Table:
    """Return two claims of each caption of at least `min_words` words: `row` is its number, `side` which half.

    Args:
        config: of the strategy; captions of fewer words than its `min_words` are in no pair.
        videos: with `captions`, of which the first of the first video has the number 0.
    """
    words = word_ids(pc.list_flatten(videos.column("captions").combine_chunks()))
    hash_of_word = _word_hashes(words)
    lengths = np.diff(words.offsets)
    hashes_N2 = np.empty((len(lengths), 2), np.uint64)
    for length in np.unique(lengths[lengths >= config.min_words]).tolist():
        alike = np.flatnonzero(lengths == length)
        hashes_NL = hash_of_word[words.ids[words.offsets[alike][:, None] + np.arange(length)]]
        middle = length // 2
        for side, half in enumerate((hashes_NL[:, :middle], hashes_NL[:, middle:])):
            hashes_N2[alike, side] = mix_hash_bits(row_hashes(half) + np.uint64(2 * length + side))
    rows = np.flatnonzero(lengths >= config.min_words)
    sides = np.tile(np.array([0, 1], np.uint8), len(rows))
    return pa.table({"key": hashes_N2[rows].ravel(), "row": np.repeat(rows, 2).astype(np.uint32), "side": sides})


def mined_caption_ends(config: Any, videos: pa.Table) -> pa.Table:
    """Return two claims of each caption for every number of words that it may have in common around a span.

    Captions that differ in one span have the longer end of what is around it in common: of K words the first K / 2
    (rounded up), if as many are before the span, else the last K / 2 + 1 (rounded down). `side` is 2 K, and 1 more for
    the last words; `row` as in `caption_halves_to_pair`.
    """
    words = word_ids(pc.list_flatten(videos.column("captions").combine_chunks()))
    hash_of_word = _word_hashes(words)
    lengths = np.diff(words.offsets)
    keys, rows, sides = [np.empty(0, np.uint64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for length in np.unique(lengths[lengths > config.min_shared_words]).tolist():
        alike = np.flatnonzero(lengths == length)
        hashes_NL = hash_of_word[words.ids[words.offsets[alike][:, None] + np.arange(length)]]
        for shared in range(max(config.min_shared_words, length - config.max_span), length):
            for side, end in (
                (0, slice(mined_span_first_end(shared))),
                (1, slice(length - shared + mined_span_first_end(shared) - 1, None)),
            ):
                keys.append(mix_hash_bits(row_hashes(hashes_NL[:, end]) + np.uint64(2 * shared + side)))
                rows.append(alike)
                sides.append(np.full(len(alike), 2 * shared + side))
    return pa.table(
        {
            "key": np.concatenate(keys), "row": np.concatenate(rows).astype(np.uint32),
            "side": np.concatenate(sides).astype(np.uint16),
        }
    )  # fmt: skip


def mined_span_first_end(shared: int) -> int:
    """Return how many words before a span are more than those after it, or as many, of so many words around it."""
    return (shared + 1) // 2


def _word_hashes(words: WordIds) -> np.ndarray:
    digests = [hashlib.blake2b(word.encode(), digest_size=8).digest() for word in words.vocabulary.to_pylist()]
    return np.frombuffer(b"".join(digests), np.uint64)


def shared_halves(config: Any, claims: pa.Table) -> pa.Table:
    """Return the claims whose half another caption has."""
    keys = claims.column("key").to_numpy()
    order = np.argsort(keys)
    is_same = keys[order][1:] == keys[order][:-1]
    is_shared = np.zeros(len(keys), bool)
    is_shared[order[1:][is_same]] = True
    is_shared[order[:-1][is_same]] = True
    return claims.filter(pa.array(is_shared))


def captions_with_halves(config: Any, videos: pa.Table, shared: pa.Table) -> pa.Table:
    """Return one row for each of these halves: its key and side, the caption, its place in its video, and the video.

    Args:
        config: of the strategy; it does not matter.
        videos: what the halves were claimed of, with any more columns.
        shared: what `shared_halves` left of their claims.
    """
    lists = videos.column("captions").combine_chunks()
    rows, sides = shared.column("row").to_numpy(), shared.column("side").to_numpy()
    order = np.lexsort((sides, rows))
    rows = rows[order].astype(np.int64)
    video = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    starts = np.append(0, np.cumsum(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)))
    table = videos.drop_columns(["captions"]).combine_chunks().take(pa.array(video[rows]))
    return (
        table.append_column("caption", pc.list_flatten(lists).take(pa.array(rows)))
        .append_column("place", pa.array((rows - starts[video[rows]]).astype(np.int32)))
        .append_column("half", shared.column("key").take(pa.array(order)))
        .append_column("side", pa.array(sides[order]))
    )


def videos_of_mining_rows(entries: pa.Table) -> pa.Table:
    """Return rows of one caption each as videos with lists of captions, sorted by their ids."""
    entries = entries.combine_chunks()
    entries = entries.take(pc.sort_indices(entries, [("video_id", "ascending"), ("place", "ascending")]))
    ids = entries.column("video_id").combine_chunks()
    is_first = np.append(True, pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False))[: len(ids)]
    starts = np.flatnonzero(is_first)
    offsets = pa.array(np.append(starts, len(ids)), pa.int32())
    lists = pa.ListArray.from_arrays(offsets, entries.column("caption").combine_chunks())
    of_videos = [name for name in entries.column_names if name not in ("caption", "place", "half", "side")]
    videos = entries.select(of_videos).take(pa.array(starts))
    return videos.append_column("captions", lists)

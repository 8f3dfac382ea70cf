"""Captions by the halves of their words: which can be in a pair that differs in one word, and buckets to search apart.

Two captions that are equal, or but for one word, have their first or second half in common. A caption neither half of
which any other has is in no pair and in no group, so what is mined without it is the same: workers normalise the
captions and give 16 bytes for each, and only the captions that are left are brought together.

Each of those is in two buckets: that of its length and first half, searched for pairs that differ in the second, and
the reverse. All captions that are equal but for one word lie in one bucket, so a group of too many is seen whole there.
"""

# Shapes: N captions, L words.

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.jobs import mapped_in_order
from cvr_data.core.progress import Progress
from cvr_data.language.normalise import word_ids
from cvr_data.pairs.search.captions import Captions
from cvr_data.pairs.search.groups import blanked_groups, mixed, ordered_pairs, row_hashes
from cvr_data.tables import VIDEOS

SLICE = 100_000
"""Videos of a job."""


@dataclass(frozen=True)
class Halves:
    """The halves of the captions of a slice."""

    rows: np.ndarray
    """Caption -> its video."""
    hashes_N2: np.ndarray
    """uint64 of the first and the second half, with the length of the caption."""


def sharing_a_half(videos: pa.Table, min_words: int) -> pa.Table:
    """Return the videos that have a caption of which another caption has a half, or that is there twice."""
    captions = videos.column("captions")
    empty = pa.array([], VIDEOS.field("captions").type)
    starts = range(0, len(captions), SLICE)
    # joined with an empty array, which copies: a mere slice would travel with all of its chunk
    jobs = [(pa.concat_arrays([*captions.slice(start, SLICE).chunks, empty]),) for start in starts]
    rows, hashes = [np.empty(0, np.int64)], [np.empty((0, 2), np.uint64)]
    with Progress("find halves", len(captions), "videos") as progress:
        for start, found in zip(starts, mapped_in_order(halves_of, jobs, shared=(min_words,)), strict=True):
            rows.append(start + found.rows)
            hashes.append(found.hashes_N2)
            progress.advance(min(SLICE, len(captions) - start))
    hashes_N2 = np.concatenate(hashes)
    is_kept = np.zeros(len(captions), bool)
    is_kept[np.concatenate(rows)[_is_repeated(hashes_N2[:, 0]) | _is_repeated(hashes_N2[:, 1])]] = True
    return videos.filter(pa.array(is_kept))


def halves_of(min_words: int, captions: pa.ListArray) -> Halves:
    """Return the halves of the captions of at least `min_words` words; a word has one hash in every process."""
    words = word_ids(pc.list_flatten(captions))
    digests = [hashlib.blake2b(word.encode(), digest_size=8).digest() for word in words.vocabulary.to_pylist()]
    hash_of_word = np.frombuffer(b"".join(digests), np.uint64)
    lengths = np.diff(words.offsets)
    hashes_N2 = np.empty((len(lengths), 2), np.uint64)
    for length in np.unique(lengths[lengths >= min_words]).tolist():
        alike = np.flatnonzero(lengths == length)
        hashes_NL = hash_of_word[words.ids[words.offsets[alike][:, None] + np.arange(length)]]
        middle = length // 2
        for side, half in enumerate((hashes_NL[:, :middle], hashes_NL[:, middle:])):
            hashes_N2[alike, side] = mixed(row_hashes(half) + np.uint64(length))
    is_long = lengths >= min_words
    rows = pc.list_parent_indices(captions).to_numpy(zero_copy_only=False)
    return Halves(rows[is_long], hashes_N2[is_long])


def _is_repeated(hashes_N: np.ndarray) -> np.ndarray:
    ordered = np.sort(hashes_N)
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    places = np.searchsorted(repeated, hashes_N)
    return np.append(repeated, np.uint64(0))[places] == hashes_N if len(repeated) else np.zeros(len(hashes_N), bool)


BUCKET_ROWS = 200_000
"""Captions of a bucket, on average: a few seconds of work."""


@dataclass(frozen=True)
class BucketPairs:
    """What one bucket gives, in numbers of captions."""

    pairs: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    """Reference, target, word before, word after."""
    large: list[tuple[np.ndarray, int, np.ndarray]]
    """Word ids of a caption, the position that is blanked, and the captions of a group that is too large."""


def buckets(captions: Captions) -> list[tuple[np.ndarray, np.ndarray, int, int]]:
    """Return (numbers of the captions, ids_NL, first position to search, position after the last) of each bucket.

    A caption whose half no other has is in no bucket.
    """
    found = []
    for first, ids_NL in captions.of_each_length():
        length = ids_NL.shape[1]
        middle = length // 2
        for shared, searched in (((0, middle), (middle, length)), ((middle, length), (0, middle))):
            for rows in _rows_by_half(ids_NL[:, slice(*shared)]):
                found.append(((first + rows).astype(np.int32), ids_NL[rows], *searched))
    return found


def _rows_by_half(half_NH: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each bucket, rising; rows of equal halves are in one bucket, and those of unequal may be."""
    hashes_N = row_hashes(half_NH)
    order_N = np.argsort(hashes_N)
    sorted_N = hashes_N[order_N]
    is_same = sorted_N[1:] == sorted_N[:-1]
    is_shared = np.append(is_same, False) | np.append(False, is_same) if len(order_N) else np.zeros(0, bool)
    rows = order_N[is_shared]
    if not len(rows):
        return []
    starts = np.flatnonzero(np.append(True, sorted_N[is_shared][1:] != sorted_N[is_shared][:-1]))
    # A bucket ends with the first half that begins after it is full.
    bucket_of_half = starts // BUCKET_ROWS
    cuts = starts[np.flatnonzero(np.diff(bucket_of_half)) + 1]
    return [np.sort(part) for part in np.split(rows, cuts)]


def pairs_in_bucket(max_group: int, numbers_N: np.ndarray, ids_NL: np.ndarray, start: int, end: int) -> BucketPairs:
    """Return the pairs of a bucket that differ in one of the positions from `start` to before `end`."""
    columns: tuple[list[np.ndarray], ...] = ([], [], [], [])
    large = []
    length = ids_NL.shape[1]
    for groups in blanked_groups(ids_NL, range(start, end)):
        is_large = groups.sizes > max_group
        for first, size in zip(groups.starts[is_large], groups.sizes[is_large], strict=True):
            members, positions = np.divmod(groups.members[first : first + size], length)
            large.append((ids_NL[members[0]], int(positions[0]), numbers_N[members]))
        reference, target = ordered_pairs(groups.where(~is_large))
        words = ids_NL.ravel()
        found = numbers_N[reference // length], numbers_N[target // length], words[reference], words[target]
        for column, values in zip(columns, found, strict=True):
            column.append(values)
    reference, target, before, after = (np.concatenate(column) for column in columns)
    return BucketPairs((reference, target, before, after), large)

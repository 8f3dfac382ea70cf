"""Captions in buckets that can be searched apart for pairs that differ in one word.

Two captions that differ in exactly one word share the first or the second half of their words, so each caption is
in two buckets: that of its length and first half, searched for pairs that differ in the second, and the reverse.
All captions that are equal but for one word lie in one bucket, so a group of too many is seen whole there.
"""

# Shapes: N captions of one length, L words.

from dataclasses import dataclass

import numpy as np

from cvr_data.pairs.search.captions import Captions
from cvr_data.pairs.search.groups import blanked_groups, ordered_pairs, row_hashes

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

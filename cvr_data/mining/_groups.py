"""Rows of word ids that are equal, whole or but for one position: found by 64-bit hashes, then compared word by word.

A row's hash is the sum of one well-spread number per (position, word), so a position is blanked by subtracting its
number. Equal hashes are found by sorting, one position at a time; no collision can make two rows equal.
"""

# Shapes: N rows, L words in each.

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

CHECKED = 262_144
"""Rows compared word by word at once, which bounds the memory."""


@dataclass(frozen=True)
class Groups:
    """Groups of rows: group g is `members[starts[g] : starts[g] + sizes[g]]`."""

    members: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    def where(self, is_wanted: np.ndarray) -> "Groups":
        """Return some of the groups; `members` stays as it is."""
        return Groups(self.members, self.starts[is_wanted], self.sizes[is_wanted])


def equal_rows(ids_NL: np.ndarray) -> Groups:
    """Return all rows in groups of equal ones, also those equal to no other; members of a group rise."""
    return _grouped(ids_NL, _terms(ids_NL).sum(axis=1, dtype=np.uint64), None, smallest=1)


def rows_with_one_blank(ids_NL: np.ndarray) -> Iterator[tuple[int, Groups]]:
    """Yield (position, groups of at least two rows that are equal but for that position)."""
    yield from blanked_groups(ids_NL, range(ids_NL.shape[1]))


def blanked_groups(ids_NL: np.ndarray, positions: Iterable[int]) -> Iterator[tuple[int, Groups]]:
    """Yield the same of some positions only."""
    terms_NL = _terms(ids_NL)
    total_N = terms_NL.sum(axis=1, dtype=np.uint64)
    for position in positions:
        yield position, _grouped(ids_NL, total_N - terms_NL[:, position], position, smallest=2)


def row_hashes(ids_NL: np.ndarray) -> np.ndarray:
    """Return one uint64 per row, equal for equal rows."""
    return _terms(ids_NL).sum(axis=1, dtype=np.uint64)


def ordered_pairs(groups: Groups) -> tuple[np.ndarray, np.ndarray]:
    """Return (first, second) of all ordered pairs of different members of each group."""
    firsts, seconds = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for size in np.unique(groups.sizes):
        members_GS = groups.members[groups.starts[groups.sizes == size][:, None] + np.arange(size)]
        first, second = np.nonzero(~np.eye(size, dtype=bool))
        firsts.append(members_GS[:, first].ravel())
        seconds.append(members_GS[:, second].ravel())
    return np.concatenate(firsts), np.concatenate(seconds)


def counting(sizes: np.ndarray) -> np.ndarray:
    """Return 0, 1, ..., size - 1 for each size, joined."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _grouped(ids_NL: np.ndarray, key_N: np.ndarray, blank: int | None, *, smallest: int) -> Groups:
    order_N = np.argsort(key_N)  # not stable, which is ten times faster where NumPy sorts by AVX-512
    sorted_N = key_N[order_N]
    starts = np.flatnonzero(np.r_[True, sorted_N[1:] != sorted_N[:-1]][: len(order_N)])
    sizes = np.diff(np.append(starts, len(order_N)))
    _sort_within(order_N, sizes)
    groups = Groups(order_N, starts, sizes).where(sizes >= smallest)
    return groups if _is_equal(ids_NL, groups, blank) else _split(ids_NL, groups, blank, smallest)


def _sort_within(order_N: np.ndarray, sizes: np.ndarray) -> None:
    """Bring the members of each group into rising order, in place."""
    group_of_row = np.repeat(np.flatnonzero(sizes > 1), sizes[sizes > 1])
    is_shared = np.repeat(sizes > 1, sizes)
    order_N[is_shared] = np.sort(group_of_row * len(order_N) + order_N[is_shared]) - group_of_row * len(order_N)


def _is_equal(ids_NL: np.ndarray, groups: Groups, blank: int | None) -> bool:
    """Whether every row is equal to the first of its group, not only its hash."""
    rows = groups.members[np.repeat(groups.starts, groups.sizes) + counting(groups.sizes)]
    firsts = np.repeat(groups.members[groups.starts], groups.sizes)
    rows, firsts = rows[rows != firsts], firsts[rows != firsts]
    for start in range(0, len(rows), CHECKED):
        chunk = slice(start, start + CHECKED)
        same = ids_NL[rows[chunk]] == ids_NL[firsts[chunk]]
        if blank is not None:
            same[:, blank] = True
        if not same.all():
            return False
    return True


def _split(ids_NL: np.ndarray, groups: Groups, blank: int | None, smallest: int) -> Groups:
    """Group by the words themselves: the hash of two different rows was the same."""
    rows = np.sort(groups.members[np.repeat(groups.starts, groups.sizes) + counting(groups.sizes)])
    words = ids_NL[rows] if blank is None else np.delete(ids_NL[rows], blank, axis=1)
    _, labels = np.unique(words, axis=0, return_inverse=True)
    sizes = np.bincount(labels.ravel())
    members = rows[np.argsort(labels.ravel(), kind="stable")]
    return Groups(members, np.cumsum(sizes) - sizes, sizes).where(sizes >= smallest)


def _terms(ids_NL: np.ndarray) -> np.ndarray:
    """Return one uint64 per word and position."""
    seeds_L = np.arange(1, ids_NL.shape[1] + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    values = mixed(seeds_L) + ids_NL.astype(np.uint64)
    return mixed(values)


def mixed(values: np.ndarray) -> np.ndarray:
    """Return well-spread uint64 numbers, one for each (the finaliser of splitmix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))

"""Rows of word ids that are equal, whole or but for one position: found by 64-bit hashes, then compared word by word.

A row's hash is the sum of one well-spread number per (position, word), so a position is blanked by subtracting its
number. Equal hashes are found by sorting; no collision can make two rows equal.
"""

# Shapes: N rows, L words in each.

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cvr_data.core.parts import mix_hash_bits

CHECKED = 262_144
"""Rows compared word by word at once, which bounds the memory."""
PLACES = 2_000_000
"""Rows times positions whose hashes are sorted at once, which bounds the memory too."""
BLANK = -1
"""Stands for a blanked word; no word has this id."""


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
    key_N = _group_hash_terms(ids_NL).sum(axis=1, dtype=np.uint64)
    order_N = np.argsort(key_N)  # not stable, which is ten times faster where NumPy sorts by AVX-512
    return _groups_of_equal_words(_runs_of_equal_keys(order_N, key_N[order_N]), lambda rows: ids_NL[rows], smallest=1)


def rows_with_one_blank(ids_NL: np.ndarray) -> Iterator[Groups]:
    """Yield groups of at least two rows that are equal but for one position, as places: row * L + position.

    Rows that are equal but for a position of one half have the other half in common, and few rows have one in common
    with any: only these are looked at, at the positions of the other half.
    """
    terms_NL = _group_hash_terms(ids_NL)
    middle = ids_NL.shape[1] // 2
    halves = (range(middle), range(middle, ids_NL.shape[1]))
    for shared, searched in (halves, halves[::-1]):
        key_N = terms_NL[:, shared.start : shared.stop].sum(axis=1, dtype=np.uint64)
        order_N = np.argsort(key_N)
        rows = np.sort(order_N[_is_repeated(key_N[order_N])])
        yield from blanked_groups(ids_NL[rows], searched, rows * ids_NL.shape[1], terms_NL[rows])


def blanked_groups(
    ids_NL: np.ndarray, positions: range, first_places_N: np.ndarray | None = None, terms_NL: np.ndarray | None = None
) -> Iterator[Groups]:
    """Yield the same of some positions only, those of many rows a few at a time.

    Args:
        ids_NL: the rows.
        positions: to be blanked.
        first_places_N: place of each row's first word; by default the rows follow each other.
        terms_NL: what `_terms` gives for the rows, if it is known.
    """
    rows, length = ids_NL.shape
    terms_NL = _group_hash_terms(ids_NL) if terms_NL is None else terms_NL
    first_places_N = np.arange(rows) * length if first_places_N is None else first_places_N
    total_N1 = terms_NL.sum(axis=1, dtype=np.uint64, keepdims=True)
    step = max(1, PLACES // max(rows, 1))

    for first in range(positions.start, positions.stop, step):
        some = slice(first, min(first + step, positions.stop))
        keys = (total_N1 - terms_NL[:, some]).ravel()
        order = np.argsort(keys)
        order = order[_is_repeated(keys[order])]
        groups = _runs_of_equal_keys(order, keys[order])
        width = some.stop - some.start

        def blanked(members: np.ndarray, first: int = first, width: int = width) -> np.ndarray:
            row, position = np.divmod(members, width)
            words = ids_NL[row]
            words[np.arange(len(row)), first + position] = BLANK
            return words

        groups = _groups_of_equal_words(groups, blanked, smallest=2)
        row, position = np.divmod(groups.members, width)
        yield Groups(first_places_N[row] + first + position, groups.starts, groups.sizes)


def row_hashes(ids_NL: np.ndarray) -> np.ndarray:
    """Return one uint64 per row, equal for equal rows."""
    return _group_hash_terms(ids_NL).sum(axis=1, dtype=np.uint64)


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


def _is_repeated(sorted_N: np.ndarray) -> np.ndarray:
    is_same = sorted_N[1:] == sorted_N[:-1]
    return np.append(is_same, False)[: len(sorted_N)] | np.append(False, is_same)[: len(sorted_N)]


def _runs_of_equal_keys(order_N: np.ndarray, sorted_N: np.ndarray) -> Groups:
    """Return the groups of equal keys, their members rising."""
    starts = np.flatnonzero(np.append(True, sorted_N[1:] != sorted_N[:-1])[: len(order_N)])
    sizes = np.diff(np.append(starts, len(order_N)))
    group_of_member = np.repeat(np.flatnonzero(sizes > 1), sizes[sizes > 1])
    is_shared = np.repeat(sizes > 1, sizes)
    most = order_N.max(initial=0) + 1
    order_N[is_shared] = np.sort(group_of_member * most + order_N[is_shared]) - group_of_member * most
    return Groups(order_N, starts, sizes)


def _groups_of_equal_words(groups: Groups, words_of: Callable[[np.ndarray], np.ndarray], *, smallest: int) -> Groups:
    """Return groups of members with equal words, not only equal hashes."""
    members = groups.members
    firsts = np.repeat(members[groups.starts], groups.sizes)
    others, firsts = members[members != firsts], firsts[members != firsts]
    for start in range(0, len(others), CHECKED):
        chunk = slice(start, start + CHECKED)
        if not np.array_equal(words_of(others[chunk]), words_of(firsts[chunk])):
            return _split_colliding_group(np.sort(members), words_of, smallest)
    return groups


def _split_colliding_group(members: np.ndarray, words_of: Callable[[np.ndarray], np.ndarray], smallest: int) -> Groups:
    """Group by the words themselves: the hash of two different members was the same."""
    _, labels = np.unique(words_of(members), axis=0, return_inverse=True)
    sizes = np.bincount(labels.ravel())
    members = members[np.argsort(labels.ravel(), kind="stable")]
    return Groups(members, np.cumsum(sizes) - sizes, sizes).where(sizes >= smallest)


def _group_hash_terms(ids_NL: np.ndarray) -> np.ndarray:
    """Return one uint64 per word and position."""
    seeds_L = np.arange(1, ids_NL.shape[1] + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    values = mix_hash_bits(seeds_L) + ids_NL.astype(np.uint64)
    return mix_hash_bits(values)

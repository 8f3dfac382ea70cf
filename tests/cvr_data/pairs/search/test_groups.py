"""_groups: a collision of hashes never makes two rows equal, and every row is found with its equals."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.pairs.search import groups as _groups
from cvr_data.pairs.search.groups import ordered_pairs, pair_groups_of_equal_rows, rows_with_one_blank


@st.composite
def matrices(draw):
    width = draw(st.integers(1, 4))
    row = st.lists(st.integers(0, 2), min_size=width, max_size=width)
    return np.array(draw(st.lists(row, min_size=1, max_size=14)), np.int32)


def sets_of(groups):
    spans = zip(groups.starts.tolist(), groups.sizes.tolist(), strict=True)
    return sorted(sorted(groups.members[start : start + size].tolist()) for start, size in spans)


def slow(ids_NL, blank, smallest):
    found = defaultdict(list)
    for row, ids in enumerate(ids_NL.tolist()):
        found[tuple(None if position == blank else word for position, word in enumerate(ids))].append(row)
    return sorted(members for members in found.values() if len(members) >= smallest)


@pytest.fixture(params=["spread", "colliding", "half", "a few places at a time"])
def hashing(request, monkeypatch):
    """Real hashes, one hash for every row, hashes that only see the words' parity, and a position at a time."""
    if request.param == "a few places at a time":
        monkeypatch.setattr(_groups, "PLACES", 1)
    if request.param == "colliding":
        monkeypatch.setattr(_groups, "_group_hash_terms", lambda ids_NL: np.zeros(ids_NL.shape, np.uint64))
    if request.param == "half":
        monkeypatch.setattr(_groups, "_group_hash_terms", lambda ids_NL: (ids_NL % 2).astype(np.uint64))
    return request.param


def check_every_matrix(check):
    given(matrices())(check)()


def test_groups_are_those_of_the_words_whatever_the_hashes(hashing):
    def check(ids_NL):
        assert sets_of(pair_groups_of_equal_rows(ids_NL)) == slow(ids_NL, None, 1)
        length = ids_NL.shape[1]
        found = [members for groups in rows_with_one_blank(ids_NL) for members in sets_of(groups)]
        expected = [
            [row * length + position for row in members]
            for position in range(length)
            for members in slow(ids_NL, position, 2)
        ]
        assert sorted(found) == sorted(expected)

    check_every_matrix(check)


def test_members_of_equal_rows_rise(hashing):
    def check(ids_NL):
        groups = pair_groups_of_equal_rows(ids_NL)
        for start, size in zip(groups.starts, groups.sizes, strict=True):
            assert (np.diff(groups.members[start : start + size]) > 0).all()

    check_every_matrix(check)


def test_rows_are_compared_beyond_the_first_chunk(monkeypatch):
    monkeypatch.setattr(_groups, "CHECKED", 2)
    monkeypatch.setattr(_groups, "_group_hash_terms", lambda ids_NL: np.zeros(ids_NL.shape, np.uint64))
    ids_NL = np.array([[1, 1]] * 7 + [[1, 2]], np.int32)
    assert sets_of(pair_groups_of_equal_rows(ids_NL)) == [[0, 1, 2, 3, 4, 5, 6], [7]]


def test_the_hash_of_swapped_words_differs():
    assert len(pair_groups_of_equal_rows(np.array([[3, 5], [5, 3], [4, 4]], np.int32)).sizes) == 3


def test_pairs_of_a_group_are_all_ordered_ones():
    groups = _groups.Groups(np.array([4, 7, 9, 1, 2]), np.array([0, 3]), np.array([3, 2]))
    first, second = ordered_pairs(groups)
    expected = [(4, 7), (4, 9), (7, 4), (7, 9), (9, 4), (9, 7), (1, 2), (2, 1)]
    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == sorted(expected)

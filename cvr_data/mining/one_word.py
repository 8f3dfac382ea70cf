"""Pair videos whose captions differ in exactly one word.

"a dog runs on sand" and "a cat runs on sand" give two ordered pairs, dog -> cat and cat -> dog: the word that changes
is what the modification text will have to say. Captions are compared as `cvr_data.normalise` reads them.

Every caption is hashed once per position with that position blanked; equal hashes are found by sorting one column at a
time, and then compared word by word, so a collision cannot make a wrong pair. Time grows with the number of words, and
memory with the captions of the most common length.

Source: how WebVid-CoVR was mined, Ventura et al., AAAI 2024 (https://arxiv.org/abs/2308.14746).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cvr_data.mining._captions import Captions, read_captions
from cvr_data.mining._pairs import CaptionPairs, pairs_table
from cvr_data.normalise import words
from cvr_data.tables import PAIRS, VIDEOS

VERSION = 1
INPUTS = {"videos": VIDEOS}
OUTPUT = PAIRS
NAME = "one-word"

EXAMPLE = [("v1", "a dog runs"), ("v2", "a cat runs"), ("v3", "rain falls")]


@dataclass(frozen=True, kw_only=True)
class Config:
    min_words: int = 2
    """Captions shorter than this are left out: with one word, anything pairs with anything."""
    max_group: int = 50
    """A blanked caption that more captions than this share is a template, not a scene: it is dropped as one row."""
    max_videos_per_caption: int = 50
    """A caption that more videos than this share is dropped as one row: it says nothing about any of them."""

    def __post_init__(self) -> None:
        if self.min_words < 2:
            raise ValueError(f"min_words must be at least 2, got {self.min_words}.")
        if self.max_group < 2 or self.max_videos_per_caption < 1:
            raise ValueError("max_group must be at least 2 and max_videos_per_caption at least 1.")


TINY = Config()


def run(config: Config, videos: pa.Table) -> pa.Table:
    """Return one row per ordered pair of videos, sorted, and one row with `drop_reason` per group that was left out."""
    captions = read_captions(videos, config.min_words, config.max_videos_per_caption)
    found, templates = find_pairs(captions, config.max_group)
    return pairs_table(captions, found, templates, NAME)


def explain(config: Config, reference: str, target: str) -> str:
    """Return why two captions are or are not a pair."""
    before, after = words(reference), words(target)
    if min(len(before), len(after)) < config.min_words:
        return f"not a pair: a caption has fewer than {config.min_words} words"
    if len(before) != len(after):
        return f"not a pair: {len(before)} words against {len(after)}"
    differing = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    if len(differing) != 1:
        return f"not a pair: {len(differing)} words differ, not one"
    return f"a pair: {differing[0][0]} -> {differing[0][1]}"


def find_pairs(captions: Captions, max_group: int) -> tuple[CaptionPairs, list[tuple[str, int]]]:
    """Return ordered pairs of distinct captions, and (blanked caption, captions that share it) of too large groups."""
    parts = []
    templates = []
    for rows in captions.rows_by_length():
        ids_NL = captions.words_of(rows)
        for position, members, starts, sizes in groups_with_one_blank(ids_NL):
            is_large = sizes > max_group
            for start, size in zip(starts[is_large], sizes[is_large], strict=True):
                templates.append((captions.blanked(rows[members[start]], position), int(size)))
            first, second = ordered_pairs(members, starts[~is_large], sizes[~is_large])
            before, after = ids_NL[first, position], ids_NL[second, position]
            parts.append(CaptionPairs(rows[first], rows[second], before, after))
    return CaptionPairs.concat(parts), sorted(templates)


def groups_with_one_blank(ids_NL: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (position, members, starts, sizes) of the groups of rows equal but for that position.

    Args:
        ids_NL: int word ids of N distinct captions of L words.
    """
    count, length = ids_NL.shape
    terms_NL = _mix(ids_NL.astype(np.uint64) + np.arange(length, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    total_N = terms_NL.sum(axis=1, dtype=np.uint64)
    for position in range(length):
        key_N = total_N - terms_NL[:, position]
        order_N = np.argsort(key_N, kind="stable")
        is_new = np.ones(count, bool)
        is_new[1:] = key_N[order_N[1:]] != key_N[order_N[:-1]]
        starts = np.flatnonzero(is_new)
        sizes = np.diff(np.append(starts, count))
        order_N, starts, sizes = _verified(ids_NL, position, order_N, starts[sizes > 1], sizes[sizes > 1])
        yield position, order_N, starts, sizes


def ordered_pairs(members: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (first, second) of all ordered pairs of different members of each group."""
    firsts, seconds = [], []
    for size in np.unique(sizes):
        groups_GS = members[starts[sizes == size][:, None] + np.arange(size)]
        a, b = np.nonzero(~np.eye(size, dtype=bool))
        firsts.append(groups_GS[:, a].ravel())
        seconds.append(groups_GS[:, b].ravel())
    if not firsts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(firsts), np.concatenate(seconds)


def _verified(
    ids_NL: np.ndarray, position: int, order_N: np.ndarray, starts: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split groups whose rows only collide in their hash; almost always there is none."""
    members = order_N[np.repeat(starts, sizes) + _within(sizes)]
    firsts = np.repeat(order_N[starts], sizes)
    same = ids_NL[members] == ids_NL[firsts]
    same[:, position] = True
    if same.all():
        return members, np.cumsum(sizes) - sizes, sizes
    rest_NL = np.delete(ids_NL[members], position, axis=1)
    _, keys = np.unique(rest_NL, axis=0, return_inverse=True)
    order = np.argsort(keys.ravel(), kind="stable")
    new_sizes = np.bincount(keys.ravel())
    new_starts = np.cumsum(new_sizes) - new_sizes
    is_group = new_sizes > 1
    return members[order], new_starts[is_group], new_sizes[is_group]


def _within(sizes: np.ndarray) -> np.ndarray:
    """Return 0, 1, ..., size - 1 for each group, joined."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _mix(values: np.ndarray) -> np.ndarray:
    """Return well-spread 64-bit hashes (the finaliser of splitmix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))

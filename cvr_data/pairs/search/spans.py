"""Captions that are equal but for one contiguous span of some words: found by 64-bit hashes, then compared by words.

A frame is the words before and after a span: captions that have p first and s last words in common meet in the frame
(p, s), found by the hash of those words. They may meet in several; a pair belongs to the frame with the most words: as
many first words as possible, then as many last ones, with at least one word left on either side. So "a dog" and
"a big dog" belong to the frame "a _", with the spans "dog" and "big dog".

Frames of one number of words are looked through together, some million (caption, p) at a time, which bounds the memory.
"""

# Shapes: N captions of one length, L words, E entries (a caption and where its span starts), K words of a frame.

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.parts import mix_hash_bits
from cvr_data.pairs.search.captions import Captions
from cvr_data.pairs.search.groups import CHECKED, Groups, counting, ordered_pairs
from cvr_data.pairs.search.pairs import DroppedGroup

PASS_ENTRIES = 4_000_000
"""Entries that are sorted at once, or the captions of the lengths that can meet, if they are more."""
_LAST_WORDS = np.uint64(0xD1B54A32D192ED03)
"""Makes the hash of a last word another than that of a first word."""


@dataclass(frozen=True, kw_only=True)
class SpanLimits:
    """Which spans count."""

    max_span: int
    """Words of a span, at most."""
    min_shared: int
    """Words of a frame, at least 1."""
    max_group: int
    """Captions that may meet in a frame; of more, no pair is made."""
    one_word: bool
    """Whether a pair of spans of one word each counts."""


@dataclass(frozen=True)
class SpanPairs:
    """Ordered pairs of captions: words start : start + size of each differ, all others are equal."""

    reference: np.ndarray
    target: np.ndarray
    start: np.ndarray
    reference_size: np.ndarray
    target_size: np.ndarray


@dataclass(frozen=True)
class _Entries:
    """Captions and where the span starts; all have frames of the same number of words."""

    shared: int
    caption: np.ndarray
    start: np.ndarray
    size: np.ndarray
    word: np.ndarray
    """Where the caption begins in the joined words."""


@dataclass(frozen=True)
class Frames:
    """Some of the frames."""

    shared: int
    """Words of each."""
    starts: range
    """Words before the span."""


def find_pair_spans(
    captions: Captions, limits: SpanLimits, only: Frames | None = None
) -> tuple[SpanPairs, list[DroppedGroup]]:
    """Return the ordered pairs of distinct captions, and the frames in which too many meet; `only` of some frames."""
    search = _Search(captions, limits, only)
    parts = [search.pairs_of(entries, groups) for entries, groups in search.frames()]
    names = SpanPairs.__dataclass_fields__
    joined = (np.concatenate([np.empty(0, np.int32), *(getattr(part, name) for part in parts)]) for name in names)
    return SpanPairs(*joined), search.dropped


def pair_span_texts(captions: Captions, caption: np.ndarray, start: np.ndarray, size: np.ndarray) -> pa.Array:
    """Return the words of each span, joined by spaces."""
    first_word = np.append(0, np.cumsum(captions.lengths))[caption] + start
    ids = captions.word_ids[np.repeat(first_word, size) + counting(size)]
    offsets = pa.array(np.append(0, np.cumsum(size)), pa.int64())
    lists = pa.LargeListArray.from_arrays(offsets, captions.vocabulary.take(pa.array(ids)))
    return pc.binary_join(lists, " ")


class _Search:
    """Holds the hashes of the captions of a few lengths at a time, and the frames that were left out."""

    def __init__(self, captions: Captions, limits: SpanLimits, only: Frames | None):
        self.captions, self.limits, self.only = captions, limits, only
        self.words = np.append(0, np.cumsum(captions.lengths))
        self.videos = np.diff(captions.entry_offsets)
        self.dropped: list[DroppedGroup] = []

    def frames(self) -> Iterator[tuple[_Entries, Groups]]:
        """Yield entries and the groups of them that have the same frame, by the number of words of the frame."""
        matrices = {ids_NL.shape[1]: (first, ids_NL) for first, ids_NL in self.captions.of_each_length()}
        hashes: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        numbers = range(self.limits.min_shared, max(matrices, default=0))
        for shared in (self.only.shared,) if self.only else numbers:
            lengths = [length for length in range(shared + 1, shared + self.limits.max_span + 1) if length in matrices]
            if sum(len(matrices[length][1]) for length in lengths) < 2:
                continue
            hashes = {length: hashes.get(length) or _span_hashes(matrices[length][1]) for length in lengths}
            yield from self._frames_of(shared, [(matrices[length][0], *hashes[length]) for length in lengths])

    def pairs_of(self, entries: _Entries, groups: Groups) -> SpanPairs:
        """Return the pairs that belong to these frames; those of too many captions are noted as dropped."""
        is_large = groups.sizes > self.limits.max_group
        if is_large.any():
            self._drop(entries, groups.where(is_large))
        first, second = ordered_pairs(groups.where(~is_large))
        is_pair = self._belongs(entries, first, second)
        first, second = first[is_pair], second[is_pair]
        return SpanPairs(
            *(column.astype(np.int32) for column in (
                entries.caption[first], entries.caption[second], entries.start[first],
                entries.size[first], entries.size[second],
            ))
        )  # fmt: skip

    def _frames_of(
        self, shared: int, buckets: list[tuple[int, np.ndarray, np.ndarray]]
    ) -> Iterator[tuple[_Entries, Groups]]:
        rows = sum(len(first_words) for _, first_words, _ in buckets)
        width = max(1, PASS_ENTRIES // rows)
        places = self.only.starts if self.only else range(shared + 1)
        for low in range(0, len(places), width):
            starts = np.array(places[low : low + width])
            salts = mix_hash_bits(starts.astype(np.uint64))
            keys = [
                (first_words[:, starts] + last_words[:, shared - starts] + salts).ravel()
                for _, first_words, last_words in buckets
            ]
            members, sizes = _captions_alike_but_span(np.concatenate(keys))
            if len(members):
                entries = self._entries(shared, buckets, starts, members)
                yield entries, self._verified(entries, sizes)

    def _entries(
        self, shared: int, buckets: list[tuple[int, np.ndarray, np.ndarray]], starts: np.ndarray, members: np.ndarray
    ) -> _Entries:
        bounds = np.cumsum([0, *(len(first_words) * len(starts) for _, first_words, _ in buckets)])
        bucket = np.searchsorted(bounds, members, "right") - 1
        place = members - bounds[bucket]
        caption = np.array([first for first, _, _ in buckets])[bucket] + place // len(starts)
        size = self.captions.lengths[caption] - shared
        return _Entries(shared, caption, starts[place % len(starts)], size, self.words[caption])

    def _verified(self, entries: _Entries, sizes: np.ndarray) -> Groups:
        """Return groups of entries whose frames are equal, not only their hashes."""
        starts = np.cumsum(sizes) - sizes
        groups = Groups(np.arange(len(entries.caption)), starts, sizes)
        firsts = np.repeat(starts, sizes)
        for low in range(0, len(firsts), CHECKED):
            chunk = slice(low, low + CHECKED)
            same = self._frame_words(entries, groups.members[chunk]) == self._frame_words(entries, firsts[chunk])
            if not same.all() or (entries.start[chunk] != entries.start[firsts[chunk]]).any():
                return self._split(entries)
        return groups

    def _split(self, entries: _Entries) -> Groups:
        """Group by the words themselves: the hash of two different frames was the same."""
        everything = np.arange(len(entries.caption))
        frames = np.column_stack([entries.start, self._frame_words(entries, everything)])
        _, labels = np.unique(frames, axis=0, return_inverse=True)
        sizes = np.bincount(labels.ravel())
        return Groups(np.argsort(labels.ravel(), kind="stable"), np.cumsum(sizes) - sizes, sizes).where(sizes > 1)

    def _frame_words(self, entries: _Entries, rows: np.ndarray) -> np.ndarray:
        places_EK = np.arange(entries.shared) + np.zeros((len(rows), 1), np.int64)
        places_EK += entries.size[rows, None] * (places_EK >= entries.start[rows, None])
        return self.captions.word_ids[entries.word[rows, None] + places_EK]

    def _belongs(self, entries: _Entries, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Whether no frame of more words has both captions, and these are one-word spans only where they count."""
        smaller = np.minimum(entries.size[first], entries.size[second])
        is_at_end = entries.start[first] == entries.shared
        is_left = (is_at_end & (smaller == 1)) | (self._first(entries, first) != self._first(entries, second))
        is_right = (smaller == 1) | (self._last(entries, first) != self._last(entries, second))
        if self.limits.one_word:
            return is_left & is_right
        return is_left & is_right & (np.maximum(entries.size[first], entries.size[second]) > 1)

    def _first(self, entries: _Entries, rows: np.ndarray) -> np.ndarray:
        return self.captions.word_ids[entries.word[rows] + entries.start[rows]]

    def _last(self, entries: _Entries, rows: np.ndarray) -> np.ndarray:
        return self.captions.word_ids[entries.word[rows] + entries.start[rows] + entries.size[rows] - 1]

    def _drop(self, entries: _Entries, groups: Groups) -> None:
        group = np.repeat(np.arange(len(groups.sizes)), groups.sizes)
        rows = groups.members[np.repeat(groups.starts, groups.sizes) + counting(groups.sizes)]
        videos = self.videos[entries.caption[rows]]
        pairs = self._lost_pairs(entries, rows, group)
        totals = np.bincount(group, videos).astype(np.int64)
        for number in np.flatnonzero(pairs).tolist():
            row = groups.members[groups.starts[number]]
            text = self._frame_text(entries, row)
            size, lost = int(groups.sizes[number]), int(pairs[number])
            self.dropped.append(DroppedGroup(text, "template_group", size, int(totals[number]), lost))

    def _lost_pairs(self, entries: _Entries, rows: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Return, per group, the ordered pairs of videos that belong to the frame: all less those of longer frames."""
        videos = self.videos[entries.caption[rows]]
        first, last = self._first(entries, rows), self._last(entries, rows)
        is_single, is_at_end = entries.size[rows] == 1, entries.start[rows] == entries.shared

        def squares(among: np.ndarray, *labels: np.ndarray) -> np.ndarray:
            return _sums_of_squares(videos, among, [group, *labels])

        everyone, several = np.ones(len(rows), bool), ~is_single
        lost = squares(everyone) - squares(~is_at_end | several, first)
        lost += squares(several, first, last) - squares(several, last)
        lost -= squares(is_at_end & is_single, np.arange(len(rows)))
        if not self.limits.one_word:
            lost -= squares(is_single) - squares(is_single, np.arange(len(rows)))
        return lost

    def _frame_text(self, entries: _Entries, row: int) -> str:
        words = self.captions.vocabulary.take(pa.array(self._frame_words(entries, np.array([row]))[0])).to_pylist()
        start = int(entries.start[row])
        return " ".join([*words[:start], "_", *words[start:]])


def _span_hashes(ids_NL: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes of the first and of the last 0, 1, ..., L words of each caption."""
    reversed_NL = ids_NL[:, ::-1]
    return _running_span_hashes(_span_hash_terms(ids_NL)), _running_span_hashes(
        _span_hash_terms(reversed_NL) * _LAST_WORDS
    )


def _running_span_hashes(terms_NL: np.ndarray) -> np.ndarray:
    sums = np.zeros((len(terms_NL), terms_NL.shape[1] + 1), np.uint64)
    np.cumsum(terms_NL, axis=1, out=sums[:, 1:])
    return sums


def _span_hash_terms(ids_NL: np.ndarray) -> np.ndarray:
    seeds_L = mix_hash_bits(np.arange(1, ids_NL.shape[1] + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return mix_hash_bits(seeds_L + ids_NL.astype(np.uint64))


def _captions_alike_but_span(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (places of the keys that are not alone, equal ones side by side; how many of each)."""
    order = np.argsort(keys)
    keys = keys[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    sizes = np.diff(np.append(starts, len(keys)))
    return order[np.repeat(sizes > 1, sizes)], sizes[sizes > 1]


def _sums_of_squares(weights: np.ndarray, among: np.ndarray, labels: list[np.ndarray]) -> np.ndarray:
    """Return, per value of the first label, the sum over equal labels of the squared sum of weights."""
    groups = int(labels[0].max()) + 1
    rows = np.flatnonzero(among)
    if not len(rows):
        return np.zeros(groups, np.int64)
    order = rows[np.lexsort([label[rows] for label in reversed(labels)])]
    is_new = np.zeros(len(order), bool)
    is_new[0] = True
    for label in labels:
        is_new[1:] |= label[order[1:]] != label[order[:-1]]
    sums = np.add.reduceat(weights[order].astype(np.int64), np.flatnonzero(is_new))
    return np.bincount(labels[0][order[is_new]], sums**2, groups).astype(np.int64)

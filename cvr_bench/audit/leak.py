"""What stands in train and in test alike: near-duplicate videos, equal or similar captions and modification texts.

Videos are near-duplicates as `cvr split` says (equal id, group or perceptual hash, or a cosine of raw pooled frame
embeddings above the threshold); each kind of text counts as the same when its words are, or when the embeddings are as
close. A shared video lets a model remember instead of compose, and makes the data leaking. A shared text need not: on
real corpora captions recur, and "make it a cat" is no secret. Texts are counted and listed beside the videos.
"""

# Shapes: M test items, N train items, D embedding; blocks of both.

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.features.store import FeatureStore
from cvr_data.language.normalise import normalised
from cvr_data.videos.near_duplicates import Config as SplitConfig

BLOCK = 2048
LEAKS = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("test", pa.string(), nullable=False),
        pa.field("train", pa.string(), nullable=False),
        pa.field("reasons", pa.list_(pa.string()), nullable=False),
        ("similarity", pa.float32()),
        pa.field("matches", pa.int64(), nullable=False),
    ]
)
"""Columns of leaks.parquet: kind is video, caption or modification; matches counts all of train's for the test item."""


@dataclass(frozen=True, kw_only=True)
class Config:
    threshold: float = SplitConfig().threshold
    """Cosine of raw pooled frame embeddings from which two videos are near-duplicates; as `cvr split` has it."""
    text_threshold: float = 0.95
    """Cosine from which two texts are similar."""
    listed: int = 10
    """Pairs listed per test item and kind, most similar first; all are counted."""

    def __post_init__(self) -> None:
        for name, value in (("threshold", self.threshold), ("text_threshold", self.text_threshold)):
            if not 0 < value <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, got {value}.")


@dataclass(frozen=True, kw_only=True)
class Side:
    """What train, or test, shows."""

    groups: Mapping[str, str]
    """video_id -> its near-duplicate group, empty where none is known."""
    captions: Set[str]
    modifications: Set[str]
    videos_of: Mapping[str, frozenset[str]]
    """query_id -> its reference and its targets."""


def leak_side(triplets: pa.Table) -> Side:
    """Return what some triplets show."""
    groups: dict[str, str] = {}
    for end in ("reference", "target"):
        columns = (triplets.column(f"{end}_id").to_pylist(), triplets.column(f"{end}_group_id").to_pylist())
        groups.update({video_id: group or groups.get(video_id, "") for video_id, group in zip(*columns, strict=True)})
    videos_of: dict[str, frozenset[str]] = defaultdict(frozenset)
    for query_id, *ends in zip(
        *(triplets.column(name).to_pylist() for name in ("query_id", "reference_id", "target_id")), strict=True
    ):
        videos_of[query_id] |= set(ends)
    return Side(
        groups=groups,
        captions=_distinct(triplets, "reference_caption") | _distinct(triplets, "target_caption"),
        modifications=_distinct(triplets, "modification"),
        videos_of=videos_of,
    )


@dataclass(frozen=True)
class Items:
    """The distinct videos or texts of one side."""

    names: Sequence[str]
    codes: Mapping[str, Sequence[str]]
    """Reason -> one value per item; equal ones that are not empty make a pair."""
    vectors_ND: np.ndarray
    """Unit length, or zero where there is none."""


@dataclass(frozen=True)
class Leaks:
    """What was found."""

    table: pa.Table
    summary: dict[str, Any]


Vectors = Callable[[Sequence[str]], np.ndarray]
"""Texts -> (N, D), unit length, or zeros for a text that has none."""


def find_leaks(
    config: Config, train: Side, test: Side, store: FeatureStore, vectors_of: Mapping[str, Vectors]
) -> Leaks:
    """Return the pairs that what is learned from shares with what is scored.

    Every pair is compared, block by block, so memory grows with the items, not with the pairs. A video without raw
    features in `store` is compared by id and group only; `vectors_of` has a function for captions and modifications.
    """
    found = {
        "video": find_leak_pairs(leak_videos(test, store), leak_videos(train, store), config.threshold, config.listed)
    }
    texts = {"caption": (test.captions, train.captions), "modification": (test.modifications, train.modifications)}
    for kind, sides in texts.items():
        mine, theirs = (_texts(side, vectors_of[kind]) for side in sides)
        found[kind] = find_leak_pairs(mine, theirs, config.text_threshold, config.listed)
    tables = [matches.table(kind) for kind, matches in found.items()]
    leaked = {name for name, count in found["video"].counts() if count}
    summary = {
        "leaking": len(leaked) > 0,
        "threshold": config.threshold,
        "text_threshold": config.text_threshold,
        **{f"{kind}s": matches.counted() for kind, matches in found.items()},
        "queries": {
            "all": len(test.videos_of),
            "about_leaked_videos": sum(not leaked.isdisjoint(names) for names in test.videos_of.values()),
        },
    }
    return Leaks(pa.concat_tables(tables), summary)


@dataclass
class LeakPairs:
    """The pairs of one kind, as far as they are listed, and how many there are."""

    test: Items
    train: Items
    counts_M: np.ndarray
    reasons: dict[str, int]
    rows: list[dict[str, Any]]

    def counts(self) -> Iterable[tuple[str, int]]:
        """Each test item with its number of matches."""
        return zip(self.test.names, self.counts_M.tolist(), strict=True)

    def table(self, kind: str) -> pa.Table:
        """Return the rows of leaks.parquet."""
        return pa.Table.from_pylist([{"kind": kind, **row} for row in self.rows], schema=LEAKS)

    def counted(self) -> dict[str, Any]:
        """Return how many there are."""
        return {
            "test": len(self.test.names),
            "train": len(self.train.names),
            "leaked": int((self.counts_M > 0).sum()),
            "pairs": int(self.counts_M.sum()),
            "listed": len(self.rows),
            "pairs_by_reason": self.reasons,
            "without_features": sum(int((~side.vectors_ND.any(axis=1)).sum()) for side in (self.test, self.train)),
        }


def find_leak_pairs(test: Items, train: Items, threshold: float, listed: int, block: int = BLOCK) -> LeakPairs:
    """Return the pairs of a test and a train item that share a code or have a cosine of at least `threshold`."""
    found = LeakPairs(
        test, train, np.zeros(len(test.names), dtype=np.int64), dict.fromkeys([*test.codes, "similar"], 0), []
    )
    codes = {name: _numbered(test.codes[name], train.codes[name]) for name in test.codes}
    for start in range(0, len(test.names), block):
        rows = slice(start, start + block)
        pairs: list[tuple[int, int, float, list[str]]] = []
        for first in range(0, len(train.names), block):
            columns = slice(first, first + block)
            cosine_MN = test.vectors_ND[rows] @ train.vectors_ND[columns].T
            is_pair = {name: mine[rows][:, None] == theirs[columns][None] for name, (mine, theirs) in codes.items()}
            is_pair["similar"] = cosine_MN >= threshold
            any_MN = np.any(list(is_pair.values()), axis=0)
            found.counts_M[rows] += any_MN.sum(axis=1)
            for name, flags_MN in is_pair.items():
                found.reasons[name] += int(flags_MN.sum())
            for row, column in _best(np.where(any_MN, cosine_MN, -np.inf), listed):
                reasons = [name for name, flags_MN in is_pair.items() if flags_MN[row, column]]
                ends = test.vectors_ND[start + row], train.vectors_ND[first + column]
                # in float64: the last bits of a product of blocks depend on their shape
                cosine = float(ends[0].astype(np.float64) @ ends[1].astype(np.float64))
                pairs.append((start + row, first + column, cosine, reasons))
        found.rows += _listed(found, pairs, listed)
    return found


def _listed(found: LeakPairs, pairs: Sequence[tuple[int, int, float, list[str]]], most: int) -> list[dict[str, Any]]:
    """The rows of some test items: of each its most similar pairs, ties by name."""
    test, train = found.test, found.train
    ordered = sorted(pairs, key=lambda pair: (pair[0], -pair[2], train.names[pair[1]]))
    places: dict[int, int] = {}
    rows = []
    for row, column, cosine, reasons in ordered:
        places[row] = places.get(row, 0) + 1
        if places[row] <= most:
            is_known = test.vectors_ND[row].any() and train.vectors_ND[column].any()
            rows.append(
                {
                    "test": test.names[row],
                    "train": train.names[column],
                    "reasons": reasons,
                    "similarity": cosine if is_known else None,
                    "matches": int(found.counts_M[row]),
                }
            )
    return rows


def _best(scores_MN: np.ndarray, most: int) -> list[tuple[int, int]]:
    """(row, column) of the best finite scores of each row, at most so many."""
    if not most:
        return []
    if scores_MN.shape[1] > most:
        place_MK = np.argpartition(-scores_MN, most - 1, axis=1)[:, :most]
        kept_MN = np.zeros(scores_MN.shape, dtype=bool)
        np.put_along_axis(kept_MN, place_MK, True, axis=1)
        scores_MN = np.where(kept_MN, scores_MN, -np.inf)
    return list(zip(*(where.tolist() for where in np.nonzero(np.isfinite(scores_MN))), strict=True))


def leak_videos(side: Side, store: FeatureStore) -> Items:
    """Return the videos of a side, by name."""
    names = sorted(side.groups)
    known = list(compress(names, store.has_videos(names)))
    vectors = dict(zip(known, store.pooled(known).numpy(), strict=True))
    hashes = dict(zip(known, store.perceptual_hashes(known), strict=True))
    codes = {
        "same": names,
        "group": [side.groups[name] for name in names],
        "hash": [hashes.get(name, "") for name in names],
    }
    blank_D = np.zeros(store.dim, dtype=np.float32)
    return Items(names, codes, np.array([vectors.get(name, blank_D) for name in names]).reshape(len(names), store.dim))


def _texts(found: Set[str], text_vectors: Vectors) -> Items:
    """The distinct texts; those with the same words count once, as the first by name."""
    texts = sorted(filter(None, found))
    words = normalised(pa.array(texts, pa.string())).to_pylist()
    first_of: dict[str, str] = {}
    for text, same in zip(texts, words, strict=True):
        first_of.setdefault(same, text)
    names = list(first_of.values())
    return Items(names, {"same": list(first_of)}, text_vectors(names))


def _distinct(triplets: pa.Table, column: str) -> set[str]:
    return set(triplets.column(column).unique().to_pylist()) - {None}


def _numbered(test: Sequence[str], train: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers that are equal where values are; empty values equal nothing."""
    number_of = {value: number for number, value in enumerate(dict.fromkeys([*test, *train]), start=1)}
    sides = [np.array([number_of[value] if value else empty for value in side], dtype=np.int64)
             for side, empty in ((test, -1), (train, -2))]  # fmt: skip
    return sides[0], sides[1]

"""What one input alone, and both together, tell of a query: labels by ranks, and what chance gives.

    ranks = merged_similarity_ranks({"text-video": [3], "reference-video": [40], ...})
    similarity_composition_labels(ranks, k=5)    # ["text_shortcut"]

A query is a `text_shortcut` or a `visual_shortcut` where a scorer of that input alone has a target among the K best,
`needs_both` where only a sum of two inputs has, else `unresolved`. The scorers are those of `single_input_pool`.
"""

# Shapes: Q queries, G gallery videos.

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

POOL_VERSION = 2
"""Goes up when a rank may be another."""
TEXT_INPUT, VISUAL_INPUT = "text", "visual"
SCORERS = {
    "text-video": TEXT_INPUT,
    "text-frame": TEXT_INPUT,
    "text-caption": TEXT_INPUT,
    "reference-video": VISUAL_INPUT,
    "caption-caption": VISUAL_INPUT,
    "description-description": VISUAL_INPUT,
}
"""Scorer -> the input that it reads."""
SUMS = (("text-video", "reference-video"), ("text-caption", "caption-caption"))
"""Scorers whose sum reads both inputs."""
TEXT, VISUAL, BOTH, UNRESOLVED = "text_shortcut", "visual_shortcut", "needs_both", "unresolved"
LABELS = (TEXT, VISUAL, BOTH, UNRESOLVED)
SHORTCUTS = (TEXT, VISUAL)
ROUNDING = 1e-5
"""Scores that differ by less do so because a sum was taken in another order."""
SHARE = 0.01
"""K as a share of the gallery, where no one says otherwise."""


class MergedRanks(NamedTuple):
    """The best rank (Q,) of each query by the text alone, by the reference alone, and by sums of both."""

    text: np.ndarray
    visual: np.ndarray
    both: np.ndarray


def similarity_pool_k(videos: int) -> int:
    """Return one in a hundred of a gallery, at least 1."""
    return max(1, round(SHARE * videos))


def best_similarity_ranks(scores_QG: np.ndarray, targets: Sequence[Sequence[int]], own: Sequence[int]) -> np.ndarray:
    """Return the rank of the best target of each query, what scores the same before it, its own reference left out."""
    is_before_QG = scores_QG >= least_similarities(scores_QG, targets)[:, None]
    for row, columns in enumerate(targets):
        is_before_QG[row, columns] = False
    has_own = np.flatnonzero(np.asarray(own) >= 0)
    is_before_QG[has_own, np.asarray(own)[has_own]] = False
    return 1 + np.count_nonzero(is_before_QG, axis=1)


def least_similarities(scores_QG: np.ndarray, targets: Sequence[Sequence[int]]) -> np.ndarray:
    """Return the score (Q,) from which a video ranks before each query's best target, whose columns are given."""
    lengths = np.array([len(columns) for columns in targets])
    rows, columns = np.repeat(np.arange(len(targets)), lengths), np.concatenate([*map(list, targets)])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return np.maximum.reduceat(scores_QG[rows, columns], starts) - ROUNDING


def merged_similarity_ranks(ranks: Mapping[str, np.ndarray]) -> MergedRanks:
    """Return the best rank of each input among its scorers, and of the sums; no scorer is the last rank of all."""
    none = [np.full(len(next(iter(ranks.values()))), np.iinfo(np.int64).max)]
    of = {kind: [rank_Q for name, rank_Q in ranks.items() if SCORERS.get(name) == kind] for kind in SCORERS.values()}
    sums = [rank_Q for name, rank_Q in ranks.items() if name not in SCORERS]
    return MergedRanks(*(np.min([*found, *none], axis=0) for found in (of[TEXT_INPUT], of[VISUAL_INPUT], sums)))


def similarity_composition_labels(merged: MergedRanks, k: int) -> list[str]:
    """Return, per query, which input alone has a target among the K best, else whether a sum of both has."""
    is_text = merged.text <= merged.visual
    label_Q = np.where(merged.both <= k, BOTH, UNRESOLVED)
    is_shortcut = np.minimum(merged.text, merged.visual) <= k
    return np.where(is_shortcut, np.where(is_text, TEXT, VISUAL), label_Q).tolist()


def similarity_chance_shares(
    scorers: Sequence[str], allowed_Q: np.ndarray, targets_Q: np.ndarray, k: int
) -> dict[str, float]:
    """Return how many queries would have each label if every scorer and every sum ranked at random.

    Args:
        scorers: the names that `SingleInputPool.ranks` gave.
        allowed_Q: how many videos each query is ranked against.
        targets_Q: how many of them are targets.
        k: what the labels go by.
    """
    missed_Q = np.ones(len(allowed_Q))
    for number in range(int(targets_Q.max(initial=0))):
        share_Q = np.clip((allowed_Q - k - number) / np.maximum(allowed_Q - number, 1), 0, 1)
        missed_Q *= np.where(number < targets_Q, share_Q, 1.0)
    kinds = [SCORERS.get(name) for name in scorers]
    single = sum(kind is not None for kind in kinds)
    shortcut_Q = 1 - missed_Q**single
    of_text = kinds.count(TEXT_INPUT) / max(1, single)  # each scorer is the first as often as any other
    both_Q = (1 - shortcut_Q) * (1 - missed_Q ** kinds.count(None))
    found = (shortcut_Q * of_text, shortcut_Q * (1 - of_text), both_Q, 1 - shortcut_Q - both_Q)
    return {label: float(share_Q.sum()) for label, share_Q in zip(LABELS, found, strict=True)}


def similarity_share_above_chance(share: float, chance: float) -> float:
    """Return a share corrected for chance: 0 is what chance gives, 1 is all."""
    return (share - chance) / (1 - chance) if chance < 1 else 0.0

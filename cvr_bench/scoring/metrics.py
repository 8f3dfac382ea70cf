"""Metrics of ranks, and what chance would give.

Ranks are 1-based. R@K is a hit rate in percent: the share of queries with at least one target among the K best.
"""

import math
from collections.abc import Sequence

import numpy as np


def recall_hits(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return 100.0 for each query whose best target is among the K best, else 0.0."""
    return np.where(np.asarray(ranks) <= k, 100.0, 0.0)


def recall(ranks: np.ndarray, k: int) -> float:
    """Return R@K in percent."""
    return float(recall_hits(ranks, k).mean())


def recall_values(ranks: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Return, per query, the mean over `ks` of its hits: their mean is the mean recall."""
    return np.mean([recall_hits(ranks, k) for k in ks], axis=0)


def mean_recall(ranks: np.ndarray, ks: Sequence[int]) -> float:
    """Return the mean of R@K over `ks`, in percent, from unrounded values."""
    return float(recall_values(ranks, ks).mean())


def average_precision(target_ranks: Sequence[int], k: int) -> float:
    """Return AP@K in percent of one query: the sum of the precision at each target found, over min(K, targets).

    Source: the official CIRCO evaluation, Baldrati et al., ICCV 2023 (https://arxiv.org/abs/2303.15247).
    """
    found = [rank for rank in sorted(target_ranks) if rank <= k]
    precisions = [number / rank for number, rank in enumerate(found, start=1)]
    return 100.0 * sum(precisions) / min(k, len(target_ranks))


def discounted_gain(target_ranks: Sequence[int], grades: Sequence[int], k: int) -> float:
    """Return nDCG@K in percent of one query: the gain of each target, its grade, over log2(rank + 1), of the best sum.

    Source: Järvelin and Kekäläinen, 2002, with the grade itself as gain, as trec_eval has it.
    """
    found = sum(grade / math.log2(rank + 1) for rank, grade in zip(target_ranks, grades, strict=True) if rank <= k)
    best = sorted(grades, reverse=True)[:k]
    return 100.0 * found / sum(grade / math.log2(place + 2) for place, grade in enumerate(best))


def recall_in_gallery(ranks: np.ndarray, allowed: np.ndarray, size: int, k: int) -> float:
    """Return R@K in percent as expected where only `size` items of each gallery, drawn at random, are ranked.

    The target is one of them; it is found where fewer than K of the rank - 1 items before it are drawn. A gallery
    that is no larger is taken whole.
    """
    from scipy.special import gammaln

    def log_choices(of: np.ndarray, take: np.ndarray) -> np.ndarray:
        is_possible = (take >= 0) & (take <= of)
        of, take = np.where(is_possible, of, 0), np.where(is_possible, take, 0)
        return np.where(is_possible, gammaln(of + 1) - gammaln(take + 1) - gammaln(of - take + 1), -np.inf)

    before, others = np.asarray(ranks) - 1, np.asarray(allowed) - 1
    drawn = np.minimum(size - 1, others)
    ways = [log_choices(before, np.full_like(before, n)) + log_choices(others - before, drawn - n) for n in range(k)]
    return float(100 * np.exp(np.array(ways) - log_choices(others, drawn)).sum(axis=0).mean())


def chance_recall(allowed: np.ndarray, targets: np.ndarray, k: int) -> float:
    """Return R@K in percent of a random order, where `allowed` items of a query are ranked and `targets` answer it."""
    pairs, counts = np.unique(np.stack([allowed, targets], axis=1), axis=0, return_counts=True)
    found = [1.0 - math.comb(n - t, min(k, n)) / math.comb(n, min(k, n)) for n, t in pairs.tolist()]
    return float(100.0 * np.average(found, weights=counts))

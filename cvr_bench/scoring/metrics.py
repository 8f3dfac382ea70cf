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


def chance_recall(allowed: np.ndarray, targets: np.ndarray, k: int) -> float:
    """Return R@K in percent of a random order, where `allowed` items of a query are ranked and `targets` answer it."""
    pairs, counts = np.unique(np.stack([allowed, targets], axis=1), axis=0, return_counts=True)
    found = [1.0 - math.comb(n - t, min(k, n)) / math.comb(n, min(k, n)) for n, t in pairs.tolist()]
    return float(100.0 * np.average(found, weights=counts))

"""Metrics of ranks, their bootstrap intervals and what chance would give.

Ranks are 1-based. R@K is a hit rate in percent: the share of queries with at least one target among the K best.
Intervals resample whole clusters of queries (those that share a target), because such queries rise and fall together.
"""

# Shapes: N queries, C clusters, P distinct patterns of a cluster (sum of values, number of queries), R resamples.

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
LEVEL = 0.95
FEW_PATTERNS = 64
"""Up to so many distinct clusters a multinomial draw is quicker than drawing clusters one by one."""
DRAWS = 2**18
"""Clusters drawn at once: they stay in the cache."""


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its bootstrap interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside."""
        return self.low > 0 or self.high < 0

    def text(self, form: str = ".2f") -> str:
        """Return the estimate with the ends in brackets."""
        return f"{self.value:{form}} [{self.low:{form}}, {self.high:{form}}]"


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


def metric_clusters(target_ids: Sequence[Sequence[str]]) -> list[str]:
    """Return one name per query, equal for queries with the same targets: what a bootstrap draws together."""
    return [" ".join(sorted(ids)) for ids in target_ids]


def bootstrap_interval(
    values: np.ndarray, clusters: Sequence[str], seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Return the mean of `values` and the 95 % percentile interval of it, resampling whole clusters.

    Clusters with the same sum and size are alike, so where there are few patterns a resample is one multinomial draw
    over them: the same distribution as drawing clusters one by one, at a cost that hardly grows with N.
    """
    values = np.asarray(values, dtype=np.float64)
    patterns_P2, counts_P = np.unique(_cluster_totals(values, clusters), axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    if len(counts_P) <= FEW_PATTERNS:
        draws_RP = generator.multinomial(counts_P.sum(), counts_P / counts_P.sum(), size=resamples)
        totals_R2 = draws_RP @ patterns_P2
    else:
        totals_R2 = _resampled_totals(np.repeat(patterns_P2, counts_P, axis=0), generator, resamples)
    tail = (1.0 - LEVEL) / 2
    low, high = np.quantile(totals_R2[:, 0] / totals_R2[:, 1], [tail, 1.0 - tail])
    return Interval(float(values.mean()), float(low), float(high))


def paired_metric_bootstrap(
    first: np.ndarray, second: np.ndarray, clusters: Sequence[str], seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Return the mean of `first - second` over the same queries, with its interval."""
    return bootstrap_interval(_differences(first, second), clusters, seed, resamples)


def paired_metric_permutation(
    first: np.ndarray, second: np.ndarray, clusters: Sequence[str], seed: int = 0, resamples: int = RESAMPLES
) -> float:
    """Return the two-sided p-value of the mean difference: how often exchanging the two within clusters gives as much.

    Whole clusters are exchanged, each with a coin. The measured order counts as one of them, so p is never 0.

    Source: Phipson and Smyth, Permutation P-values Should Never Be Zero, 2010.
    """
    totals_C = _cluster_totals(_differences(first, second), clusters)[:, 0]
    totals_C = np.sort(totals_C[totals_C != 0])
    generator = np.random.default_rng(seed)
    least = abs(totals_C.sum()) - 1e-9 * np.abs(totals_C).sum()
    width = -(-len(totals_C) // 8)
    extreme, at_once = 0, max(1, DRAWS // max(1, len(totals_C)))
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        bytes_RW = np.frombuffer(generator.bytes(rows * width), np.uint8).reshape(rows, width)
        coins_RC = np.unpackbits(bytes_RW, axis=1, count=len(totals_C))
        extreme += int((np.abs(totals_C.sum() - 2.0 * (coins_RC @ totals_C)) >= least).sum())
    return (1 + extreme) / (1 + resamples)


def _differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    if np.shape(first) != np.shape(second):
        raise ValueError(f"Pairs are needed, got {len(first)} and {len(second)} values.")
    return np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)


def _cluster_totals(values: np.ndarray, clusters: Sequence[str]) -> np.ndarray:
    """(sum of values, number of queries) of each cluster, (C, 2)."""
    if not len(values) or len(values) != len(clusters):
        raise ValueError(f"One cluster per value is needed, got {len(values)} values and {len(clusters)} clusters.")
    number_of: dict[str, int] = {}
    cluster_of = [number_of.setdefault(name, len(number_of)) for name in clusters]
    return np.stack([np.bincount(cluster_of, weights=values), np.bincount(cluster_of)], axis=1)


def _resampled_totals(clusters_C2: np.ndarray, generator: np.random.Generator, resamples: int) -> np.ndarray:
    """The totals of as many clusters, drawn with replacement: how often each is drawn, times what it holds."""
    count = len(clusters_C2)
    totals_R2 = np.empty((resamples, 2))
    at_once = max(1, DRAWS // count)
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        drawn_RC = generator.integers(0, count, (rows, count), dtype=np.uint32) + count * np.arange(rows)[:, None]
        times_RC = np.bincount(drawn_RC.ravel(), minlength=rows * count).reshape(rows, count)
        totals_R2[start : start + rows] = times_RC.astype(np.float64) @ clusters_C2
    return totals_R2

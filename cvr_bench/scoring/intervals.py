"""How sure a mean over queries is: queries that share a target or a reference rise and fall together.

The variance of a mean is that of Cameron, Gelbach and Miller, which adds what the targets and what the references share
and takes off what both do (two-way clusters); shares get the interval of Korn and Graubard (1998), which is that of
Clopper and Pearson for as many queries as would be as sure if they were independent, so that 0 and all hits have one
too; differences get that of Student's t with one less degree of freedom than there are clusters, and the p of the same
test, so that an interval leaves out zero if and only if p is below 5 %; neither is surer than a sign test of the
clusters can be. Nothing is drawn.

Sources: Cameron, Gelbach and Miller, Robust Inference With Multiway Clustering, 2011; Korn and Graubard, Confidence
Intervals For Proportions With Small Expected Number of Positive Counts Estimated From Survey Data, 1998; Holm, 1979.
"""

# Shapes: N queries, C clusters, V values of each query.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa

LEVEL = 0.95
Asked = TypeVar("Asked")
METHOD = "two-way clusters, groups as strata"
"""Names how intervals were made, in result.json."""


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its 95 % interval."""

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


@dataclass(frozen=True)
class Clusters:
    """Which queries share a target, which a reference, and which both: numbers from 0, one per query."""

    targets_N: np.ndarray
    references_N: np.ndarray
    both_N: np.ndarray
    count: int
    """Targets or references, whichever are fewer."""

    @classmethod
    def of(cls, target_ids: Sequence[Sequence[str]], reference_ids: Sequence[str | None]) -> "Clusters":
        """Return the clusters of queries; a query without a reference shares none."""
        if not len(target_ids) or len(target_ids) != len(reference_ids):
            raise ValueError(f"Queries with a reference each are needed, got {len(target_ids)}, {len(reference_ids)}.")
        targets_N = _numbered_clusters([" ".join(sorted(ids)) for ids in target_ids])
        references_N = _numbered_clusters([name if name is not None else row for row, name in enumerate(reference_ids)])
        both_N = _numbered_clusters(list(zip(targets_N.tolist(), references_N.tolist(), strict=True)))
        return cls(targets_N, references_N, both_N, int(min(targets_N.max(), references_N.max())) + 1)

    @property
    def target_count(self) -> int:
        """How many different targets, or sets of targets, there are."""
        return int(self.targets_N.max()) + 1

    def variance(self, values_N: np.ndarray) -> float:
        """Return the variance of the mean of the values, no less than of one kind of cluster alone; else infinite."""
        if self.count < 2:
            return np.inf
        found = [
            _cluster_variance(values_N, cluster_N) for cluster_N in (self.targets_N, self.references_N, self.both_N)
        ]
        return max(found[0] + found[1] - found[2], *found)


def rank_clusters(ranks: pa.Table) -> Clusters:
    """Return the clusters of rows of ranks.parquet."""
    return Clusters.of(*(ranks.column(name).to_pylist() for name in ("target_ids", "reference_id")))


def recall_confidence_interval(values_N: np.ndarray, clusters: Clusters) -> Interval:
    """Return the mean of values from 0 to 100 with its interval, of Korn and Graubard."""
    from scipy.special import betaincinv, stdtrit

    values_N = _checked_clusters(values_N, clusters)
    mean, queries, tail = float(values_N.mean()), len(values_N), (1 - LEVEL) / 2
    if clusters.count < 2:
        return Interval(mean, 0.0, 100.0)
    share, variance = min(max(mean / 100, 0.0), 1.0), clusters.variance(values_N) / 1e4
    as_sure_as = min(queries, share * (1 - share) / variance) if 0 < share < 1 and variance > 0 else clusters.count
    as_sure_as *= float(stdtrit(queries - 1, 1 - tail) / stdtrit(clusters.count - 1, 1 - tail)) ** 2
    hits = share * as_sure_as
    low = float(betaincinv(hits, as_sure_as - hits + 1, tail)) if share > 0 else 0.0
    high = float(betaincinv(hits + 1, as_sure_as - hits, 1 - tail)) if share < 1 else 1.0
    return Interval(mean, 100 * low, 100 * high)


def recall_difference_interval(first_N: np.ndarray, second_N: np.ndarray, clusters: Clusters) -> Interval:
    """Return the mean of `first - second` over the same queries with its interval."""
    return mean_recall_difference([first_N], [second_N], clusters)[0]


def mean_recall_difference(
    first_SN: Sequence[np.ndarray], second_SN: Sequence[np.ndarray], clusters: Clusters
) -> tuple[Interval, float]:
    """Return the difference of two methods, each of one or several seeds, with its interval, and its two-sided p.

    To the variance that the queries bring to the difference of the means over seeds comes what the seeds of each
    method bring to its own mean; degrees of freedom are those of Welch and Satterthwaite. What queries and seeds bring
    together is in both, so that it errs to the wide side. Of a method of one seed only that seed is spoken of.
    """
    first_N, second_N = (_checked_clusters(np.mean(values_SN, axis=0), clusters) for values_SN in (first_SN, second_SN))
    values_N = first_N - second_N
    parts = [(clusters.variance(values_N), clusters.count - 1)] if values_N.any() else []
    parts += [
        (float(np.var(np.mean(values_SN, axis=1), ddof=1)) / len(values_SN), len(values_SN) - 1)
        for values_SN in (first_SN, second_SN)
        if len(values_SN) > 1
    ]
    return _told_difference(
        float(values_N.mean()), [(part, count) for part, count in parts if part > 0], clusters.count
    )


def _told_difference(mean: float, parts: Sequence[tuple[float, int]], clusters: int) -> tuple[Interval, float]:
    """The interval and the p of a mean difference from the parts of its variance and their degrees of freedom.

    Where clusters hardly differ, their variance says nothing of those that were not drawn. So p is no smaller than
    that of a sign test in which all clusters agree, and the interval no narrower than what the share of clusters that
    agree may be, by Clopper and Pearson; both tell no difference of fewer than six clusters.
    """
    from scipy.special import stdtr, stdtrit

    if not parts and mean == 0:
        return Interval(mean, mean, mean), 1.0
    if clusters < 2:
        return Interval(mean, -100.0, 100.0), 1.0
    tail = (1 - LEVEL) / 2
    half, p = 2 * (1 - tail ** (1 / clusters)) * abs(mean), 2 * 0.5**clusters
    if parts:
        variance = sum(part for part, _ in parts)
        freedom = variance**2 / sum(part**2 / count for part, count in parts)
        half = max(half, float(stdtrit(freedom, 1 - tail)) * variance**0.5)
        p = max(p, float(2 * stdtr(freedom, -abs(mean) / variance**0.5)))
    return Interval(mean, max(mean - half, -100.0), min(mean + half, 100.0)), p


def recall_difference_p(first_N: np.ndarray, second_N: np.ndarray, clusters: Clusters) -> float:
    """Return the two-sided p with which the mean of `first - second` is zero; 1 where nothing tells."""
    return mean_recall_difference([first_N], [second_N], clusters)[1]


def metric_p_text(p: float) -> str:
    """Return p with four digits; none is told to be 0."""
    return f"{p:.4f}" if p >= 0.0001 else "<0.0001"


def metric_holm_p(p_values: Mapping[Asked, float]) -> dict[Asked, float]:
    """Return the p of several questions as Holm adjusts them: below 5 % holds for all of them together."""
    adjusted: dict[Asked, float] = {}
    least = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = least
    return {name: adjusted[name] for name in p_values}


def _numbered_clusters(names: Sequence[object]) -> np.ndarray:
    number_of: dict[object, int] = {}
    return np.array([number_of.setdefault(name, len(number_of)) for name in names], dtype=np.int64)


def _cluster_variance(values_N: np.ndarray, cluster_N: np.ndarray) -> float:
    sums_C = np.bincount(cluster_N, weights=values_N - values_N.mean())
    count = len(sums_C)
    return float((sums_C**2).sum() * count / (count - 1)) / len(values_N) ** 2


def _checked_clusters(values_N: np.ndarray, clusters: Clusters) -> np.ndarray:
    if len(values_N) != len(clusters.both_N):
        raise ValueError(f"One value per query is needed, got {len(values_N)} of {len(clusters.both_N)}.")
    return np.asarray(values_N, dtype=np.float64)

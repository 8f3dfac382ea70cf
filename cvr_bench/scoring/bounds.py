"""The lowest and highest value that each metric can have on the whole benchmark, where some of it was not scored.

At worst everything that is missing ranks before the targets, missing targets rank last, and every query that could not
be scored is worth nothing; at best missing targets rank first, the rest last, and such queries are worth 100.
"""

# Shapes: N queries.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from cvr_bench.scoring.measures import MEAN, SUBSET, Measures
from cvr_bench.scoring.metrics import average_precision, recall_hits


@dataclass(frozen=True)
class Lost:
    """Queries that could not be scored."""

    queries: int = 0
    slices: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Slice name -> value -> how many of them."""


def metric_bounds(table: pa.Table, measures: Measures, lost: Lost) -> dict[str, list[float]]:
    """Return metric -> [lowest, highest], in percent, of rows of ranks.parquet and the queries that were lost."""
    return {name: [_bound_of_metric(table, measures, name, lost, end) for end in (0, 1)] for name in measures.names()}


def _bound_of_metric(table: pa.Table, measures: Measures, name: str, lost: Lost, end: int) -> float:
    """The mean of a metric at one end, over queries, or over the groups that it counts the same."""
    values_N, worth = _bound_values(table, measures, name, end), 100.0 * end
    over = measures.means[name].over if name in measures.means else None
    if over is None:
        return float((values_N.sum() + worth * lost.queries) / (len(values_N) + lost.queries))
    groups = np.array([str(group) for group in table.column(over).to_pylist()])
    lost_of = lost.slices.get(over, {})
    means = []
    for group in sorted({*groups.tolist(), *lost_of}):
        found, gone = values_N[groups == group], lost_of.get(group, 0)
        means.append((found.sum() + worth * gone) / (len(found) + gone))
    return float(np.mean(means))


def _bound_values(table: pa.Table, measures: Measures, name: str, end: int) -> np.ndarray:
    """(N,) the lowest or highest value of each query that was scored."""
    parts = (
        measures.means[name].of if name in measures.means else [f"R@{k}" for k in measures.ks] if name == MEAN else ()
    )
    if parts:
        return np.mean([_bound_values(table, measures, part, end) for part in parts], axis=0)
    kind, _, k = name.partition("@")
    if kind == "mAP":
        return _precisions(table, int(k), end)
    is_subset = kind == SUBSET
    ranks = table.column("subset_rank" if is_subset else "rank").to_numpy()
    unranked = _count_column(table, "subset_unranked" if is_subset else "unranked")
    if end == 0:
        return recall_hits(ranks + unranked, int(k))
    return np.maximum(recall_hits(ranks, int(k)), 100.0 * (_count_column(table, "missing_targets") > 0))


def _precisions(table: pa.Table, k: int, end: int) -> np.ndarray:
    lists: Sequence[Sequence[int]] = table.column("target_ranks").to_pylist()
    both = zip(
        lists, _count_column(table, "unranked").tolist(), _count_column(table, "missing_targets").tolist(), strict=True
    )
    values = []
    for found, unranked, missing in both:
        if end == 0:
            beyond = k + 1 + unranked + max(found, default=0)
            places = [rank + unranked for rank in found] + [beyond] * missing
        else:
            places = [*range(1, missing + 1), *(rank + missing for rank in found)]
        values.append(average_precision(places, k))
    return np.array(values)


def _count_column(table: pa.Table, name: str) -> np.ndarray:
    """A column of counts; none where it is not known, as in older results."""
    return np.array([count or 0 for count in table.column(name).to_pylist()], dtype=np.int64)

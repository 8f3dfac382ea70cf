"""Which metrics a task has, and the value of each for every query; all of them come from ranks.parquet alone.

R@5, R@10       the best target is among the K best of the whole gallery
R_sub@1         ... of the query's own small set of look-alikes
mAP@10          average precision, where queries have several targets
mean            the mean of the recalls
meanR3, Avg ... what a paper calls its mean, as the task defines it
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_bench.scoring.metrics import average_precision, recall_hits, recall_values
from cvr_bench.tasks.task import Mean, Task

MEAN = "mean"
"""Name of the mean of the recalls."""
SUBSET = "R_sub"
"""Recall within a query's own set."""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """The metrics of one task."""

    ks: Sequence[int]
    map_ks: Sequence[int] = ()
    subset_ks: Sequence[int] = ()
    means: Mapping[str, Mean] = field(default_factory=dict)

    @classmethod
    def of_task(cls, task: Task) -> "Measures":
        """Return the metrics of a task."""
        return cls(ks=task.ks, map_ks=task.map_ks, subset_ks=task.subset_ks, means=task.means)

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Measures":
        """Return the metrics of what result.json says of its task."""
        means = {name: Mean(tuple(mean["of"]), mean["over"]) for name, mean in record.get("means", {}).items()}
        map_ks, subset_ks = (tuple(record.get(name, ())) for name in ("map_ks", "subset_ks"))
        return cls(ks=tuple(record["ks"]), map_ks=map_ks, subset_ks=subset_ks, means=means)

    def to_json(self) -> dict[str, Any]:
        """Return what `of_record` reads."""
        return {
            "ks": list(self.ks),
            "map_ks": list(self.map_ks),
            "subset_ks": list(self.subset_ks),
            "means": {name: {"of": list(mean.of), "over": mean.over} for name, mean in self.means.items()},
        }

    def names(self) -> list[str]:
        """Return the names of all metrics: recalls, their mean, the subset's, mAP, and the paper's means."""
        subset = [f"{SUBSET}@{k}" for k in self.subset_ks]
        return [*metric_names(self.ks), *subset, *(f"mAP@{k}" for k in self.map_ks), *self.means]

    def values(self, table: pa.Table, metric: str) -> np.ndarray:
        """Return the value of a metric for each row of ranks.parquet, in percent; their mean is the metric."""
        if metric in self.means:
            mean = self.means[metric]
            values = np.mean([self.values(table, name) for name in mean.of], axis=0)
            if mean.over is None:
                return values
            # around the mean of the groups, each query as far as it moves that: how groups differ is no doubt about it
            groups = [str(group) for group in table.column(mean.over).to_pylist()]
            _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
            means = np.bincount(group_of, weights=values) / sizes
            return means.mean() + (values - means[group_of]) * (len(groups) / (len(sizes) * sizes[group_of]))
        if metric == MEAN:
            return recall_values(table.column("rank").to_numpy(), self.ks)
        kind, k = metric.split("@")
        if kind == "mAP":
            return np.array([average_precision(found, int(k)) for found in table.column("target_ranks").to_pylist()])
        return recall_hits(table.column("subset_rank" if kind == SUBSET else "rank").to_numpy(), int(k))

    def chances(self, chances: Mapping[str, float]) -> dict[str, float]:
        """Return the chance level of each mean whose parts all have one."""
        known = {name: mean for name, mean in self.means.items() if mean.over is None and set(mean.of) <= set(chances)}
        return {name: float(np.mean([chances[part] for part in mean.of])) for name, mean in known.items()}


def metric_names(ks: Sequence[int]) -> list[str]:
    """Return `R@K` of each K, and the name of their mean."""
    return [*(f"R@{k}" for k in ks), MEAN]

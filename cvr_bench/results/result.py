"""A result on disk: metrics with intervals, the protocol, and where every target of every query stood.

    results/fdca-quickstart/  result.json  protocol.json  ranks.parquet  training/  manifest.json

`ranks.parquet` has one row per query; every metric can be worked out from it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cvr_bench.results.task_key import ALL, result_task_key
from cvr_bench.scoring.beside import scores_beside_ranks
from cvr_bench.scoring.bounds import Lost, metric_bounds
from cvr_bench.scoring.intervals import METHOD, Interval, rank_clusters, recall_confidence_interval
from cvr_bench.scoring.measures import MEAN, Measures
from cvr_bench.scoring.metrics import chance_recall
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Task
from cvr_bench.tasks.twins import task_target_twins
from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.reading import check_json_value_types, reading
from cvr_data.core.whole_files import json_bytes, parquet_bytes, read_parquet
from cvr_data.tables import content_id

if TYPE_CHECKING:  # torch, which those who read a result do not need
    from cvr_bench.scoring.evaluate import Ranks

STAGE = "bench"
RESULT, PROTOCOL, RANKS = "result.json", "protocol.json", "ranks.parquet"
NUMBER = int | float
RECORD = {
    "queries": int, "seed": int, "clusters": int, "slices": dict, "MdR": NUMBER, "MnR": NUMBER, "chance": dict,
    "ties": {"queries": int}, "metrics": dict, "task": {"name": str, "gallery": int, "ks": list}, "protocol_key": str,
}  # fmt: skip
"""Keys of result.json that readers of results go by, and of which type."""
ABOUT = {"model": str, "options": dict, "command": str, "data": {"path": str, "split": str}}
"""What whoever made a result may say of it."""
RANK_COLUMNS = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        ("reference_id", pa.string()),
        ("modification", pa.string()),
        pa.field("target_ids", pa.list_(pa.string()), nullable=False),
        pa.field("target_ranks", pa.list_(pa.int64()), nullable=False),
        pa.field("rank", pa.int64(), nullable=False),
        pa.field("ties", pa.int64(), nullable=False),
        pa.field("allowed", pa.int64(), nullable=False),
        ("unranked", pa.int64()),
        ("is_partial", pa.bool_()),
        ("missing_targets", pa.int64()),
        ("subset_unranked", pa.int64()),
        ("subset_rank", pa.int64()),
        ("candidates_id", pa.string()),
        ("reference_rank", pa.int64()),
        ("beats_reference", pa.bool_()),
        ("twins", pa.list_(pa.string())),
        ("twin_rank", pa.int64()),
        ("distractor_ranks", pa.list_(pa.int64())),
        ("target_grades", pa.list_(pa.int64())),
        pa.field("top", pa.list_(pa.string()), nullable=False),
        pa.field("top_scores", pa.list_(pa.float32()), nullable=False),
    ]
)
"""Columns of ranks.parquet, of which older results lack some; those of the slices (kind, slot, backend, style, ...)
follow, null where unknown."""


@dataclass(frozen=True)
class Result:
    """A finished result."""

    path: Path
    record: dict[str, Any]
    """What result.json holds."""
    protocol: Protocol
    ranks: pa.Table

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.record["model"]

    @property
    def name(self) -> str:
        """What it was called, else its model."""
        return self.record.get("name") or self.model

    @property
    def task_key(self) -> str:
        """The hash of its task: what two results share that may stand in one table."""
        return result_task_key(self.ranks, self.protocol, self.record["task"])

    @property
    def reads(self) -> dict[str, Any]:
        """What its model reads: frames, sampler, tokens."""
        return self.record.get("reads") or {}

    @property
    def ks(self) -> tuple[int, ...]:
        """The K of each recall."""
        return tuple(self.record["task"]["ks"])

    @property
    def measures(self) -> Measures:
        """The metrics of its task."""
        return Measures.of_record(self.record["task"])

    @property
    def beside(self) -> dict[str, Any]:
        """What its ranks tell beside the metrics, as far as an older result has the columns for it."""
        return scores_beside_ranks(self.ranks, self.record["task"], self.protocol.reference)

    @property
    def metric_names(self) -> list[str]:
        """The metrics that have an interval."""
        return self.measures.names()

    @property
    def slice_names(self) -> list[str]:
        """The columns of `ranks` that tell queries apart by kind, slot, source of the text, ..."""
        return [name for name in self.ranks.column_names if name not in RANK_COLUMNS.names]

    def interval(self, metric: str) -> Interval:
        """Return a recall (`R@1`, or `mean`) with its interval."""
        return Interval(**self.record["metrics"][metric])


def result_ranks_table(task: Task, ranks: "Ranks") -> pa.Table:
    """Return the rows of ranks.parquet, in the order of the task's queries."""
    columns = {
        "query_id": ranks.query_ids,
        "reference_id": [query.reference.item_id if query.reference else None for query in task.queries],
        "modification": [query.modification for query in task.queries],
        "target_ids": ranks.target_ids,
        "target_ranks": ranks.target_ranks,
        "rank": ranks.rank,
        "ties": ranks.ties,
        "allowed": ranks.allowed,
        "unranked": [task.missing.unranked.get(query_id, 0) for query_id in ranks.query_ids],
        "missing_targets": [task.missing.targets.get(query_id, 0) for query_id in ranks.query_ids],
        "subset_unranked": [task.missing.subset_unranked.get(query_id, 0) for query_id in ranks.query_ids],
        "subset_rank": ranks.subset_rank,
        "candidates_id": _candidates_ids(task),
        **_beside_columns(task, ranks),
        "top": ranks.top,
        "top_scores": ranks.top_scores,
    }
    columns = {name: values for name, values in columns.items() if values is not None}
    table = check_columns(pa.table(columns), RANK_COLUMNS, RANKS)
    for name, values in task.slices.items():
        if name in RANK_COLUMNS.names:
            raise ValueError(f"A slice cannot be called {name!r}; that is a column of {RANKS}.")
        table = table.append_column(name, pa.array([values.get(query_id) for query_id in ranks.query_ids], pa.string()))
    return table


def _candidates_ids(task: Task) -> list[str]:
    """A hash of what each query is ranked against; queries that share a list share its hash."""
    if task.candidates is None:
        return [ALL] * len(task.queries)
    lists = [task.candidates[query.query_id] for query in task.queries]
    known = {id(ids): content_id(*sorted(ids)) for ids in {id(ids): ids for ids in lists}.values()}
    return [known[id(ids)] for ids in lists]


def _beside_columns(task: Task, ranks: "Ranks") -> dict[str, Any]:
    """The columns that tell what stands beside the targets; None where the task has no such thing."""
    twins = task_target_twins(task, task.twins)
    absent = None if ranks.reference_rank is None else ranks.reference_rank == 0
    grades = [
        [task.grades.get(query_id, {}).get(item_id, 1) for item_id in found]
        for query_id, found in zip(ranks.query_ids, ranks.target_ids.to_pylist(), strict=True)
    ] if task.grades else None  # fmt: skip
    return {
        "reference_rank": None if absent is None else pa.array(ranks.reference_rank, mask=absent),
        "beats_reference": None if absent is None else pa.array(ranks.beats_reference, mask=absent),
        "twins": [sorted(twins.get(name, ())) for name in ranks.query_ids] if task.twins else None,
        "twin_rank": ranks.twin_rank,
        "distractor_ranks": None if ranks.kind_ranks is None else ranks.kind_ranks.tolist(),
        "target_grades": grades,
    }


def result_rank_statistics(table: pa.Table, measures: Measures) -> dict[str, Any]:
    """Return metrics with intervals, rank statistics, ties and chance level of rows of ranks.parquet."""
    ranks, ties, allowed = (table.column(name).to_numpy() for name in ("rank", "ties", "allowed"))
    target_ids = table.column("target_ids").to_pylist()
    clusters = rank_clusters(table)
    targets = np.array([len(ids) for ids in target_ids])
    chances = {f"R@{k}": chance_recall(allowed, targets, k) for k in measures.ks}
    return {
        "queries": table.num_rows,
        "clusters": clusters.target_count,
        "metrics": {
            name: vars(recall_confidence_interval(measures.values(table, name), clusters)) for name in measures.names()
        },
        "MdR": float(np.median(ranks)),
        "MnR": float(np.mean(ranks)),
        "ties": {"queries": int((ties > 0).sum()), "mean": float(ties.mean())},
        "chance": {**chances, MEAN: float(np.mean(list(chances.values()))), **measures.chances(chances)},
    }


def result_coverage(table: pa.Table, measures: Measures, lost: Lost) -> dict[str, Any]:
    """Return how much of the benchmark was scored, and bounds of its metrics."""
    return {
        "queries": table.num_rows,
        "lost_queries": lost.queries,
        "lost_slices": lost.slices,
        "most_unranked": int(table.column("unranked").to_numpy().max(initial=0)),
        "bounds": metric_bounds(table, measures, lost),
    }


def result_slice_statistics(table: pa.Table, measures: Measures) -> dict[str, dict[str, Any]]:
    """Return slice name -> value -> its statistics."""
    names = [name for name in table.column_names if name not in RANK_COLUMNS.names]
    statistics: dict[str, dict[str, Any]] = {}
    for name in names:
        values = table.column(name).to_pylist()
        statistics[name] = {
            value: result_rank_statistics(table.filter(pa.array([found == value for found in values])), measures)
            for value in sorted({value for value in values if value is not None})
        }
    return statistics


def write_result(writer: ArtifactWriter, task: Task, ranks: "Ranks", seed: int, about: Mapping[str, Any]) -> Artifact:
    """Write the files of a result and finish it; `about` (model, training, cost ...) goes to result.json."""
    table, measures = result_ranks_table(task, ranks), Measures.of_task(task)
    lost = Lost(task.missing.queries, task.missing.slices)
    record = {
        **about,
        "task": {
            "name": task.name,
            "queries": len(task.queries),
            "gallery": len(task.gallery),
            # equal ones mean that the same videos were ranked
            "gallery_id": content_id(*sorted(item.item_id for item in task.gallery)),
            **measures.to_json(),
            "left_out": dict(task.left_out),
            "distractor_kinds": task.kind_names,
        },
        "protocol_key": task.protocol.key,
        "seed": seed,
        "intervals": METHOD,
        **result_rank_statistics(table, measures),
        "coverage": result_coverage(table, measures, lost) if task.missing else None,
        "slices": result_slice_statistics(table, measures),
    }
    record["task_key"] = result_task_key(table, task.protocol, record["task"])
    record["beside"] = scores_beside_ranks(table, record["task"], task.protocol.reference)
    writer.write_file(RANKS, parquet_bytes(table))
    writer.write_file(PROTOCOL, json_bytes({**task.protocol.to_json(), "key": task.protocol.key}))
    writer.write_file(RESULT, json_bytes(record))
    return writer.finish(rows=table.num_rows)


def read_result(path: Path) -> Result:
    """Return the result of a folder. Raises CvrError: no result is there, or it is damaged."""
    artifact = open_artifact(path, STAGE)
    path = artifact.path
    fields = read_json(path / PROTOCOL, dict)
    fields.pop("key", None)
    with reading(path / PROTOCOL, "a protocol"):
        protocol = Protocol.from_json(fields)
    table = check_columns(read_parquet(path / RANKS), RANK_COLUMNS, str(path / RANKS))
    record = read_json(path / RESULT, dict)
    with reading(path / RESULT, "a result"):
        check_json_value_types(record, {**RECORD, **{name: kind for name, kind in ABOUT.items() if name in record}})
        for interval in record["metrics"].values():
            Interval(**interval)
        list(map(int, record["task"]["ks"]))
    return Result(artifact.path, record, protocol, table)

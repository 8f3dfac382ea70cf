"""By what a task is known: its rules, its gallery, and of each query its text, reference, targets and candidates."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cvr_bench.tasks.protocol import Protocol
from cvr_data.core.artifacts import artifact_key

ALL = "all"
"""`candidates_id` of a query that is ranked against all of the gallery; older results have none."""
COLUMNS = ["query_id", "modification", "reference_id", "target_ids", "allowed", "candidates_id"]


def result_task_key(ranks: pa.Table, protocol: Protocol, task: Mapping[str, Any]) -> str:
    """Return the hash of the task of rows of ranks.parquet; `task` is that of result.json."""
    rows = ranks.select(COLUMNS).to_pydict().values()
    questions = sorted(
        [*map(str, (query, text, reference, sorted(targets), allowed, ALL if listed is None else listed))]
        for query, text, reference, targets, allowed, listed in zip(*rows, strict=True)
    )
    return artifact_key(
        {"protocol": protocol.key, "gallery": task["gallery_id"], "ks": list(task["ks"]), "is": questions}
    )

"""Queries with what the pool of `features.single_input_pool` reads of them, made of triplets."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

GALLERY_COLUMNS = ("video_id", "captions", "description")
"""What it reads of videos."""
DESCRIPTION = "reference_description"
"""Extra column of triplets."""


@dataclass(frozen=True, kw_only=True)
class PoolQuery:
    """A query with what scorers read of it."""

    reference_id: str
    modification: str
    target_ids: frozenset[str]
    reference_caption: str = ""
    """Empty: what the gallery says of the reference, if it is there; likewise the description."""
    reference_description: str = ""


def feature_pool_queries(rows: pa.Table) -> dict[str, PoolQuery]:
    """Return query_id -> what the pool reads of it, in the order of the ids; rows are those of triplets."""
    columns = ("query_id", "reference_id", "modification", "reference_caption", "target_id", DESCRIPTION)
    first: dict[str, dict[str, Any]] = {}
    targets: dict[str, set[str]] = {}
    for row in rows.select([name for name in columns if name in rows.column_names]).to_pylist():
        first.setdefault(row["query_id"], row)
        targets.setdefault(row["query_id"], set()).add(row["target_id"])
    return {
        name: PoolQuery(
            reference_id=row["reference_id"],
            modification=row["modification"],
            target_ids=frozenset(targets[name]),
            reference_caption=row["reference_caption"] or "",
            reference_description=row.get(DESCRIPTION) or "",
        )
        for name, row in sorted(first.items())
    }

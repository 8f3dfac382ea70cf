"""Drop pairs whose two videos are in different splits, or are near-duplicates of each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark

NEEDS = "splits"


@dataclass(frozen=True, kw_only=True)
class Config:
    near_duplicates: bool = True
    """Also drop pairs of one near-duplicate group: the target would show what the reference shows."""


EXAMPLE = [
    {"reference_split": "train", "target_split": "test", "drop_reason": "straddles_splits"},
    {"reference_group_id": "g", "target_group_id": "g", "drop_reason": "near_duplicates"},
    {"reference_split": "test", "target_split": "test", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "straddles_splits" or "near_duplicates"; no split is a split too."""
    splits = [pc.fill_null(table.column(f"{side}_split"), "") for side in ("reference", "target")]
    table = mark(table, pc.not_equal(*splits), "straddles_splits")
    if config.near_duplicates:
        same = pc.equal(table.column("reference_group_id"), table.column("target_group_id"))
        table = mark(table, same, "near_duplicates")
    return table


def explain(config: Config, row: Mapping[str, Any]) -> str:
    if row["drop_reason"] == "near_duplicates":
        return f"both are in the near-duplicate group {row['reference_group_id']}"
    return (
        f"the reference is in {row['reference_split'] or 'no split'}, the target in {row['target_split'] or 'no split'}"
    )

"""What the lint checks share: the columns they read, and how a row gets its reason."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column

COLUMNS = (
    "modification", "style", "reference_caption", "target_caption", "reference_description", "target_description",
    "changes", "asked_similarity",
)  # fmt: skip
"""Columns the checks read; an absent one is null."""
TEXTS = COLUMNS[:6]

LintRow = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Config:
    """No options: of the checks that have none."""


def drop_linted_where(table: pa.Table, reason: Callable[[LintRow], str | None]) -> pa.Table:
    """Return the table with `drop_reason`: what `reason` says of each row; one given earlier stays."""
    reasons = pa.chunked_array([pa.array([reason(row) for row in _rows_of(table)], pa.string())])
    if "drop_reason" in table.column_names:
        reasons = pc.coalesce(table.column("drop_reason"), reasons)
    return with_column(table, "drop_reason", reasons)


def _rows_of(table: pa.Table) -> Iterator[LintRow]:
    """Yield the rows as dicts of the columns that lint reads; text is never None, changes is a list."""
    absent = [name for name in COLUMNS if name not in table.column_names]
    for row in table.select([name for name in COLUMNS if name in table.column_names]).to_pylist():
        row.update(dict.fromkeys(absent))
        row["changes"] = row["changes"] or []
        for name in TEXTS:
            row[name] = row[name] or ""
        yield row


def linted_changes(row: LintRow) -> list[dict[str, str]]:
    """Return the changes that the style is about: static and action texts leave out the other kind."""
    kind = row["style"]
    alike = [change for change in row["changes"] if change["kind"] == kind]
    return alike or row["changes"]

"""The steps of a stage on one small table, without files: `apply_steps(steps, table)`; a row's `drop_reason` stays."""

from collections.abc import Iterable

import pyarrow as pa

from cvr_data.core.columns import with_column
from cvr_data.core.stage_jobs import PIECE
from cvr_data.core.stages import ClaimStep, Step, stage_rows_by_drop_reason


def apply_steps(steps: Iterable[Step], table: pa.Table) -> pa.Table:
    """Return the rows after the steps, the kept ones first."""
    lost = []
    for step in steps:
        if isinstance(step, ClaimStep):
            claims = step.claims(step.config, table)
            claims = with_column(claims, pa.field(PIECE, pa.int32()), [0] * claims.num_rows)
            made = step.run(step.config, table, step.settle(step.config, claims))
        else:
            made = step.run(step.config, table)
        assert step.makes_rows or made.num_rows == table.num_rows
        table, dropped = stage_rows_by_drop_reason(made)
        lost += [dropped] if dropped.num_rows else []
    rows = pa.concat_tables([table, *lost], promote_options="permissive")
    return rows if lost else rows.append_column("drop_reason", pa.nulls(rows.num_rows, pa.string()))

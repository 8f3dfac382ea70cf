"""All lint checks over a table of texts at once: every reason of every row, not just the first."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cvr_data.filters import FILTERS
from cvr_data.generation.meaning import with_asked_similarity

Checks = Mapping[str, Mapping[str, Any]]
"""Filter name -> its options."""


def lint_reasons(table: pa.Table, checks: Checks) -> list[list[str]]:
    """Return the reasons of each row, in the order of the checks.

    A text without a word is only "empty"; what else it lacks goes without saying.

    Raises:
        CvrError: there is no such filter or option.
    """
    reasons: list[list[str]] = [[] for _ in range(table.num_rows)]
    if table.num_rows and (checks.get("lint-change") or {}).get("min_similarity"):
        table = with_asked_similarity(table)
    for name, options in checks.items():
        checked = FILTERS.get(name).run(FILTERS.config(name, options or {}), table)
        for row, reason in enumerate(checked.column("drop_reason").to_pylist()):
            if reason is not None and reasons[row] != ["empty"]:
                reasons[row].append(reason)
    return reasons

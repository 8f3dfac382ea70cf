"""Small tables of triplets for tests: `triplets(("r1", "make it blue", "t1"), ...)`, every other column filled in."""

from typing import Any

import pyarrow as pa

from cvr_data.core.columns import check_columns
from cvr_data.tables import TRIPLETS, query_id, triplet_id

CHANGES = [{"kind": "static", "slot": "attribute", "before": "red", "after": "blue"}]


def triplet(reference_id: str, modification: str, target_id: str, **columns: Any) -> dict[str, Any]:
    """Return a row; `columns` replaces or adds to what it has."""
    return {
        "triplet_id": triplet_id(reference_id, modification, target_id),
        "query_id": query_id(reference_id, modification),
        "reference_id": reference_id,
        "target_id": target_id,
        "modification": modification,
        "style": "short",
        "split": "train",
        "reference_caption": f"a red ball, {reference_id}",
        "target_caption": f"a blue ball, {target_id}",
        "changes": CHANGES,
        "backend": "rules",
        "model": "rules",
        **columns,
    }


def triplets(*rows: tuple[str, str, str] | dict[str, Any]) -> pa.Table:
    """Return a checked table of rows, each a (reference_id, modification, target_id) or a whole row."""
    whole = [row if isinstance(row, dict) else triplet(*row) for row in rows]
    names = list(dict.fromkeys(name for row in whole for name in row))
    columns = {}
    for name in names:
        kind = TRIPLETS.field(name).type if name in TRIPLETS.names else None
        columns[name] = pa.array([row.get(name) for row in whole], kind)
    return check_columns(pa.table(columns), TRIPLETS, "test")

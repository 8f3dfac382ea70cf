"""Small tables of triplets for tests: `triplets(("r1", "make it blue", "t1"), ...)`, every other column filled in."""

from typing import Any

import pyarrow as pa

from cvr_data.tables import TRIPLETS, query_id, triplet_id
from tests.dataset_folders import table_of

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
    return table_of(whole, TRIPLETS)

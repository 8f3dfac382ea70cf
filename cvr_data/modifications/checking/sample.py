"""Random pairs of a modifications table with all their texts, to be read by a person."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError

PAIR_COLUMNS = ("reference_id", "target_id", "reference_caption", "target_caption", "text_similarity")


def sample_rows(
    modifications: Path, pairs: Path | None, *, count: int, seed: int, status: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return the texts of up to `count` pairs drawn with the seed, in the table's order, with their pair's columns.

    Raises:
        CvrError: the pairs are not to be found.
    """
    artifact = open_artifact(modifications, stage="generate-modifications")
    table = artifact.read()
    if status:
        chosen = pa.array([value in status for value in table.column("status").to_pylist()], pa.bool_())
        table = table.filter(chosen)
    if not table.num_rows:
        return []
    pair_ids = pc.unique(table.column("pair_id"))
    drawn = np.random.default_rng(seed).permutation(len(pair_ids))[:count]
    rows = table.filter(pc.is_in(table.column("pair_id"), pair_ids.take(pa.array(drawn)))).to_pylist()
    places = {pair: place for place, pair in enumerate(dict.fromkeys(row["pair_id"] for row in rows))}
    rows.sort(key=lambda row: places[row["pair_id"]])
    found = _pairs_by_id(pairs or artifact.input_path("pairs"), {row["pair_id"] for row in rows})
    for row in rows:
        if row["pair_id"] not in found:
            raise CvrError(f"{modifications}: pair {row['pair_id']} is not in the pairs; pass the right --pairs.")
        row.update(found[row["pair_id"]])
    return rows


def _pairs_by_id(pairs: Path, wanted: set[str]) -> dict[str, dict[str, Any]]:
    table = open_artifact(pairs).read(["pair_id", *PAIR_COLUMNS])
    chosen = pa.array([value in wanted for value in table.column("pair_id").to_pylist()], pa.bool_())
    return {row["pair_id"]: {name: row[name] for name in PAIR_COLUMNS} for row in table.filter(chosen).to_pylist()}

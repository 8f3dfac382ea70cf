"""Random pairs, with all their texts where there are any, to be read by a person."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.modifications.asked import TEXTS

SIDES = ("reference_id", "target_id")
KEY = "_pair"
PAIR_COLUMNS = (*SIDES, "reference_caption", "target_caption", "text_similarity")


def sample_modifications_to_check(
    folder: Path, pairs: Path | None, *, count: int, seed: int, status: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return the rows of up to `count` pairs drawn with the seed, in the table's order, with the columns of their pair.

    Raises:
        CvrError: the folder holds no texts, pairs or triplets, what is of texts is asked of others, or the pairs of the
            texts are not to be found.
    """
    artifact = open_artifact(folder)
    is_of_texts = artifact.stage.startswith(TEXTS)
    table = _with_status(artifact.read(), status) if is_of_texts else _checked_sides(artifact)
    if not is_of_texts and (status or pairs):
        raise CvrError(f"{folder} holds no texts of its own; --status and --pairs are for the output of {TEXTS}.")
    if not table.num_rows:
        return []
    key = pc.binary_join_element_wise(*(table.column(name) for name in (("pair_id",) if is_of_texts else SIDES)), "\n")
    table = table.append_column(KEY, key)
    keys = pc.unique(table.column(KEY))
    drawn = np.random.default_rng(seed).permutation(len(keys))[:count]
    rows = table.filter(pc.is_in(table.column(KEY), keys.take(pa.array(drawn)))).to_pylist()
    places = {pair: place for place, pair in enumerate(dict.fromkeys(row[KEY] for row in rows))}
    rows.sort(key=lambda row: places[row.pop(KEY)])
    return _with_pairs(artifact, rows, pairs) if is_of_texts else rows


def _with_status(texts: pa.Table, status: Sequence[str]) -> pa.Table:
    return texts.filter(pc.is_in(texts.column("status"), pa.array(status, pa.string()))) if status else texts


def _checked_sides(artifact: Artifact) -> pa.Table:
    table = artifact.read()
    if missing := [name for name in SIDES if name not in table.column_names]:
        raise CvrError(f"{artifact.path} has no {missing[0]}; name pairs, modifications or triplets.")
    return table


def _with_pairs(artifact: Artifact, rows: list[dict[str, Any]], pairs: Path | None) -> list[dict[str, Any]]:
    found = _pairs_by_id(pairs or artifact.input_path("pairs"), {row["pair_id"] for row in rows})
    for row in rows:
        if row["pair_id"] not in found:
            raise CvrError(f"{artifact.path}: pair {row['pair_id']} is not in the pairs; pass the right --pairs.")
        row.update(found[row["pair_id"]])
    return rows


def _pairs_by_id(pairs: Path, wanted: set[str]) -> dict[str, dict[str, Any]]:
    table = open_artifact(pairs).read(["pair_id", *PAIR_COLUMNS])
    chosen = pa.array([value in wanted for value in table.column("pair_id").to_pylist()], pa.bool_())
    return {row["pair_id"]: {name: row[name] for name in PAIR_COLUMNS} for row in table.filter(chosen).to_pylist()}

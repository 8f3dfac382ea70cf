"""Claims of triplets on what they share: how they are made, ranked and settled.

A row claims a number, such as the hash of a video, under which the claims of all rows meet (`core.stages.ClaimStep`).
Rows of test sources meet only their own kind where keys are kept apart.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.columns import set_drop_reason_column
from cvr_data.core.parts import mix_hash_bits
from cvr_data.core.stage_jobs import PIECE
from cvr_data.core.stages import ClaimStep

FOLDER, IS_TEST = "folder", "is_test_source"
"""Columns of texts: the number of their folder, and whether it alone gives test triplets. Dropped rows keep them."""
Keys = list[np.ndarray]


def triplet_dropping_step(
    name: str, reason: str, claims: Callable[..., pa.Table], settle: Callable[[Any, pa.Table], pa.Table], *,
    config: Any = None, per_value: int = 2,
) -> ClaimStep:  # fmt: skip
    """The step that drops, with a reason, the rows of claims that do not hold."""
    run = partial(drop_triplets_by_claims, reason)
    return ClaimStep(name=name, run=run, config=config, claims=claims, settle=settle, per_value=per_value)


def drop_triplets_by_claims(reason: str, config: Any, rows: pa.Table, found: pa.Table) -> pa.Table:
    """Drop the rows whose claims came back."""
    return set_drop_reason_column(rows, found.column("row").to_numpy(), reason)


def triplet_claims(keys: Keys, rows: pa.Table, columns: dict[str, Any]) -> pa.Table:
    """Return a claim of every row under each of its keys."""
    numbers = np.tile(np.arange(rows.num_rows, dtype=np.uint32), len(keys))
    table = pa.table({**columns, "row": np.arange(rows.num_rows, dtype=np.uint32)})
    return table.take(pa.array(numbers)).append_column("key", pa.array(np.concatenate(keys)))


def rank_triplet_claims(claims: pa.Table, order: tuple[tuple[str, str], ...]) -> pa.Table:
    """Return the claims sorted within their keys, and the `place` of each there, from 0."""
    last = ((PIECE, "ascending"), ("row", "ascending"))
    ranked = claims.sort_by([("key", "ascending"), *order, *last])
    keys = ranked.column("key").to_numpy()
    places = np.arange(len(keys))
    is_first = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
    return ranked.append_column("place", pa.array(places - np.maximum.accumulate(np.where(is_first, places, 0))))


def triplet_keys_of_tests(rows: pa.Table, keys: np.ndarray) -> np.ndarray:
    """Return the keys, other ones for rows of test sources."""
    return mix_hash_bits(keys + rows.column(IS_TEST).to_numpy().astype(np.uint64))

"""Columns of another table laid beside rows, by ids: both meet in buckets, so neither has to fit in memory.

wanted = Lookup(ids=("pair_id",), key="pair_id", columns=("caption",), names=(("_caption",),))
flow = generator_looked_up_rows(texts, pairs, wanted)
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.parts import hash_bucket_keys
from cvr_data.core.runner import Flow
from cvr_data.core.stages import ClaimStep

BUCKET = 250_000
"""Claims of a bucket: some hundred letters of text each."""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """What is looked up."""

    ids: tuple[str, ...]
    """Columns of the rows that hold ids of the other table."""
    key: str
    """The column of the other table that has the ids; the first row of an id counts."""
    columns: tuple[str, ...]
    """Of the other table."""
    names: tuple[tuple[str, ...], ...]
    """What these columns are called beside the rows, for each of `ids`. Null where the other table has no such id."""


def generator_looked_up_rows(rows: Flow, other: Flow, lookup: Lookup) -> Flow:
    """Return the rows, in their order and parts, with the columns that the other table has for their ids."""
    step = ClaimStep(
        name=f"look-up-{lookup.key}", run=_looked_up_beside, config=lookup, is_counted=False, claims=_ids_to_look_up,
        offers=_rows_to_look_in, settle=_looked_up_claims, per_value=len(lookup.ids), bucket_values=BUCKET,
    )  # fmt: skip
    return rows.run.claimed(rows, step, other)


def check_modifications_have_pairs(ids: pa.ChunkedArray) -> None:
    """Raise CvrError unless something was found for each text: here an id that every pair has."""
    if missing := ids.null_count:
        raise CvrError(f"{missing} texts are of pairs that are not there; pass the right --pairs.")


def _ids_to_look_up(lookup: Lookup, rows: pa.Table) -> pa.Table:
    claims = [_lookup_claims(rows.column(name), number * rows.num_rows) for number, name in enumerate(lookup.ids)]
    return pa.concat_tables(claims)


def _rows_to_look_in(lookup: Lookup, others: pa.Table) -> pa.Table:
    claims = _lookup_claims(others.column(lookup.key), None)
    for name in lookup.columns:
        claims = claims.append_column(name, others.column(name))
    return claims


def _lookup_claims(ids: pa.ChunkedArray, first: int | None) -> pa.Table:
    numbers = pa.nulls(len(ids), pa.int64()) if first is None else pa.array(np.arange(first, first + len(ids)))
    return pa.table({"key": hash_bucket_keys(ids), "row": numbers, "id": ids})


def _looked_up_claims(lookup: Lookup, claims: pa.Table) -> pa.Table:
    is_ask = pc.is_valid(claims.column("row"))
    asks, offers = claims.filter(is_ask), claims.filter(pc.invert(is_ask))
    place = pc.index_in(asks.column("id"), offers.column("id").combine_chunks())
    found = asks.filter(pc.is_valid(place)).select(["row", "_piece"])
    offers = offers.take(place.drop_null())
    for name in lookup.columns:
        found = found.append_column(name, offers.column(name))
    return found


def _looked_up_beside(lookup: Lookup, rows: pa.Table, settled: pa.Table) -> pa.Table:
    at = np.full(rows.num_rows * len(lookup.ids), -1)
    at[settled.column("row").to_numpy()] = np.arange(settled.num_rows)
    for number, names in enumerate(lookup.names):
        some = at[number * rows.num_rows : (number + 1) * rows.num_rows]
        place = pa.array(some, mask=some < 0)
        for column, name in zip(lookup.columns, names, strict=True):
            rows = with_column(rows, name, settled.column(column).take(place))
    return rows

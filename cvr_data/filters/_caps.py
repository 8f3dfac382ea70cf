"""How filters keep the best rows of a group: the most alike videos first, then by a hash of videos and captions.

Nothing else counts, neither the order of the rows nor their direction: so a pair and its reverse share their fate, and
no row depends on what it lies beside.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.parts import hash_bucket_keys, mix_hash_bits
from cvr_data.core.ranges import SIZE, Ranged, option_range
from cvr_data.filters._columns import filter_distinct
from cvr_data.language.normalise import normalised

PREFERENCE = ("less_alike", "videos", "sides")
"""Columns of claims by which rows are preferred, the lowest first."""


@dataclass(frozen=True, kw_only=True)
class CapConfig(Ranged):
    """What every cap asks for; each has a number of its own."""

    most: int = field(default=1, metadata=option_range(SIZE))
    """Rows of a group that stay."""


def filter_cap_claims(
    table: pa.Table, keys: Sequence[np.ndarray], rows: Sequence[np.ndarray] | None = None
) -> pa.Table:
    """Return a claim for each entry: the `key` of its group, its `row`, and how it is preferred there.

    Args:
        table: pairs with `visual_similarity`.
        keys: of the groups of entries, in one array or more.
        rows: row of each entry; None where every row has one entry in each array.
    """
    every_row = np.arange(table.num_rows)
    row = np.concatenate([every_row] * len(keys) if rows is None else rows)
    columns = dict(zip(PREFERENCE, (column[row] for column in _preference(table)), strict=True))
    return pa.table({"key": np.concatenate(keys), "row": row.astype(np.uint32), **columns})


def claims_lost_to_filter(most: int, claims: pa.Table) -> pa.Table:
    """Return the claims that have at least `most` better ones in their group, without what they were preferred by."""
    preference = [claims.column(name).to_numpy() for name in PREFERENCE]
    is_losing = _has_better(claims.column("key").to_numpy(), preference, most)
    return claims.drop_columns(["key", *PREFERENCE]).filter(pa.array(is_losing))


def filter_rows_over_cap(table: pa.Table, keys: np.ndarray, most: int) -> np.ndarray:
    """Return a mask of the rows that have at least `most` better ones among those of their key."""
    _, groups = np.unique(keys, return_inverse=True)
    crowded = np.flatnonzero((np.bincount(groups) > most)[groups]) if len(groups) else np.empty(0, np.int64)
    is_over = np.zeros(len(groups), bool)
    is_over[crowded] = _has_better(groups[crowded], _preference(table.take(pa.array(crowded))), most)
    return is_over


def filter_cap_caption_keys(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return a uint64 of each row's reference caption and of its target caption, as normalised."""
    sides = pa.chunked_array([table.column(f"{side}_caption").combine_chunks() for side in ("reference", "target")])
    keys = mix_hash_bits(hash_bucket_keys(filter_distinct(sides, normalised)))
    return keys[: table.num_rows], keys[table.num_rows :]


def filter_cap_caption_pair_key(table: pa.Table) -> np.ndarray:
    """Return a uint64 per row, equal for all pairs of two captions in either direction."""
    return np.add(*filter_cap_caption_keys(table))


def filter_cap_video_keys(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return a uint64 of each row's reference and of its target."""
    reference, target = (
        mix_hash_bits(hash_bucket_keys(table.column(f"{side}_id"))) for side in ("reference", "target")
    )
    return reference, target


def filter_cap_hash_order(table: pa.Table) -> np.ndarray:
    """Return an order of the rows that depends on their two videos only, not on which of them is the reference."""
    ids = [table.column(f"{side}_id").combine_chunks() for side in ("reference", "target")]
    both = pc.binary_join_element_wise(_quoted(pc.min_element_wise(*ids)), _quoted(pc.max_element_wise(*ids)), ",")
    texts = both.cast(pa.binary()).to_pylist()
    digests = b"".join([hashlib.sha256(b"[" + text + b"]").digest()[:8] for text in texts])
    return np.frombuffer(digests, ">u8").astype(np.uint64)


def _preference(table: pa.Table) -> list[np.ndarray]:
    """Return the PREFERENCE of each row; only rows of the same two videos and captions share it."""
    similarity = pc.fill_null(table.column("visual_similarity").cast(pa.float32()), -2.0).to_numpy()
    sides = [
        mix_hash_bits(video + mix_hash_bits(hash_bucket_keys(table.column(f"{side}_caption"))))
        for side, video in zip(("reference", "target"), filter_cap_video_keys(table), strict=True)
    ]
    return [-similarity, filter_cap_hash_order(table), np.add(*sides)]


def _has_better(groups: np.ndarray, preference: Sequence[np.ndarray], most: int) -> np.ndarray:
    """Return whether at least `most` entries of the same group come before each; equal ones come together."""
    order = np.lexsort([*reversed(preference), groups])
    is_new_group = _changes(groups[order])
    is_new = is_new_group | np.logical_or.reduce([_changes(column[order]) for column in preference])
    places = np.arange(len(order))
    first_of_group = np.maximum.accumulate(np.where(is_new_group, places, 0))
    first_of_equal = np.maximum.accumulate(np.where(is_new, places, 0))
    has_better = np.zeros(len(order), bool)
    has_better[order] = first_of_equal - first_of_group >= most
    return has_better


def _changes(values: np.ndarray) -> np.ndarray:
    return np.append(True, values[1:] != values[:-1])[: len(values)]


def _quoted(ids: pa.Array) -> pa.Array:
    plain = pc.replace_substring(pc.replace_substring(ids, "\\", "\\\\"), '"', '\\"')
    return pc.binary_join_element_wise('"', plain, '"', "")

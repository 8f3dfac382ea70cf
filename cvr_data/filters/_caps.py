"""How filters keep the best rows of a group: the most alike videos first, then by a hash of the two videos."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.language.normalise import normalised


@dataclass(frozen=True, kw_only=True)
class CapConfig:
    """What every cap asks for; each has a number of its own."""

    most: int = 1
    """Rows of a group that stay."""

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ValueError(f"most must be at least 1, got {self.most}.")


def over_cap(table: pa.Table, groups: np.ndarray, most: int, rows: np.ndarray | None = None) -> np.ndarray:
    """Return a mask of the entries that have at least `most` better ones in their group.

    Args:
        table: pairs with `visual_similarity`.
        groups: number of each entry's group.
        most: entries that stay.
        rows: row of each entry; None where every row is one entry.
    """
    crowded = np.flatnonzero((np.bincount(groups) > most)[groups]) if len(groups) else np.empty(0, np.int64)
    row_of_entry = crowded if rows is None else rows[crowded]
    needed, place_of_row = np.unique(row_of_entry, return_inverse=True)
    preference = _preference(table.take(pa.array(needed)))[place_of_row]
    order = np.lexsort((preference, groups[crowded]))
    sorted_groups = groups[crowded][order]
    starts = np.flatnonzero(np.append(True, np.diff(sorted_groups) != 0)[: len(order)])
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    is_over = np.zeros(len(groups), bool)
    is_over[crowded[order[place >= most]]] = True
    return is_over


def caption_codes(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each row's reference caption and of its target caption, as normalised."""
    sides = [table.column(f"{side}_caption").combine_chunks() for side in ("reference", "target")]
    written = pa.concat_arrays(sides).dictionary_encode()
    said = normalised(written.dictionary).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    codes = said[written.indices.to_numpy(zero_copy_only=False)].astype(np.int64)
    return codes[: table.num_rows], codes[table.num_rows :]


def video_codes(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each row's reference and of its target; the lower number has the lower id."""
    ids = pa.concat_arrays([table.column(f"{side}_id").combine_chunks() for side in ("reference", "target")])
    named = ids.dictionary_encode()
    ranks = np.empty(0, np.int64) if not len(ids) else pc.rank(named.dictionary).to_numpy().astype(np.int64)
    codes = ranks[named.indices.to_numpy()]
    return codes[: table.num_rows], codes[table.num_rows :]


def grouped(*codes: np.ndarray) -> np.ndarray:
    """Return one number per row for equal combinations of the codes."""
    if not len(codes[0]):
        return np.empty(0, np.int64)
    groups = codes[0]
    for other in codes[1:]:
        groups = np.unique(groups * (other.max() + 1) + other, return_inverse=True)[1]
    return groups


def hash_order(table: pa.Table) -> np.ndarray:
    """Return an order of the rows that depends on their two videos only, not on which of them is the reference."""
    ids = [table.column(f"{side}_id").combine_chunks() for side in ("reference", "target")]
    both = pc.binary_join_element_wise(_quoted(pc.min_element_wise(*ids)), _quoted(pc.max_element_wise(*ids)), ",")
    texts = both.cast(pa.binary()).to_pylist()
    digests = b"".join([hashlib.sha256(b"[" + text + b"]").digest()[:8] for text in texts])
    return np.frombuffer(digests, ">u8").astype(np.uint64)


def _preference(table: pa.Table) -> np.ndarray:
    """Return a rank per row, the best the lowest; rows of the same two videos and similarity share it."""
    similarity = pc.fill_null(table.column("visual_similarity").cast(pa.float32()), -2.0).to_numpy()
    hashes = hash_order(table)
    order = np.lexsort((hashes, -similarity))
    is_new = (np.diff(similarity[order]) != 0) | (np.diff(hashes[order]) != 0)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.append(0, np.cumsum(is_new))[: len(order)]
    return ranks


def _quoted(ids: pa.Array) -> pa.Array:
    plain = pc.replace_substring(pc.replace_substring(ids, "\\", "\\\\"), '"', '\\"')
    return pc.binary_join_element_wise('"', plain, '"', "")

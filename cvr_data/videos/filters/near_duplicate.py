"""Keep one of each set of near-duplicates: the largest picture, of those the longest clip.

Two clips are near-duplicates whose pictures have almost equal perceptual hashes, as copies that were scaled, recoded or
brightened have (pHash: Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010), or which
`cvr split` put into one group by their embeddings. Without such a group, clips that begin elsewhere in one film are not
found.
"""

# Shapes: N rows, T frames, B bits.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark, with_column
from cvr_data.core.parts import hash_bucket_keys, mix_hash_bits
from cvr_data.core.stage_jobs import PIECE
from cvr_data.core.stages import ClaimStep
from cvr_data.videos.filters._band import video_bounds, video_filter_example_rows
from cvr_data.videos.seen import Seen, seen_video_cells

COLUMN = "duplicate_bits"
HASH = "picture_hash"
FIELDS = (pa.field(HASH, pa.binary()),)
MEASURED = 1
SIDE, LOW = 32, 8
"""Pixels along a side, and of its waves those that are kept: pHash's."""
BYTES, BANDS = 24, 12
"""Of a hash of 192 bits its bytes, and its parts, of which one at least is equal where at most 11 bits differ."""
FLAT = 3.0
"""Standard deviation of brightness below which a picture has no hash: all flat ones would be equal."""
NEAR = "near_another"
"""Column of clips that have a better or a worse one near them."""
NONE = 255
"""Bits, more than a hash has, where there is no other clip."""
ALL = 2**62
"""Claims of one bucket: what stays among the near ones depends on all of them."""
ORDER = ("smaller", "shorter", "name")
"""Columns of claims by which one stays, the lowest first."""


@dataclass(frozen=True, kw_only=True)
class Config:
    high: int = 11
    """Bits, of 192, that two hashes differ by at most: copies of made and real clips, scaled and brightened, differ by
    6 at most, other films by 76 at least, and edits of one film by 10 to 34. More than 11 are found in part."""

    def __post_init__(self) -> None:
        if not 0 <= self.high <= 48:
            raise ValueError(f"high must be 0 to 48 bits, got {self.high}.")


EXAMPLE = video_filter_example_rows(COLUMN, [(0, "near_duplicate"), (11, "near_duplicate"), (12, None), (None, None)])


def measure(seen: Seen) -> Mapping[str, Any]:
    # The middle frame of each third; a clip of one frame has it three times.
    pictures_TSS = seen_video_cells(seen.luma[((np.arange(3) + 0.5) / 3 * len(seen.frames)).astype(int)], SIDE)
    if (pictures_TSS.std(axis=(1, 2)) < FLAT).all():
        return {HASH: None}
    places = np.arange(SIDE)
    waves = np.cos(np.pi * np.outer(np.arange(1, LOW + 1), 2 * places + 1) / (2 * SIDE))
    found_TLL = np.einsum("ls,tsr,kr->tlk", waves, pictures_TSS.astype(np.float64), waves)
    middles = np.median(found_TLL, axis=(1, 2), keepdims=True)
    return {HASH: np.packbits(found_TLL > middles).tobytes()}


def claims(config: Config, table: pa.Table) -> pa.Table:
    """Return a claim for each band of the hash of each row, and for its group."""
    hashes = table.column(HASH)
    has_hash = np.flatnonzero(pc.is_valid(hashes).to_numpy())
    bytes_NB = np.frombuffer(b"".join(hashes.drop_null().to_pylist()), np.uint8).reshape(len(has_hash), BYTES)
    bands_NB = bytes_NB.view(np.uint16).astype(np.uint64)
    found = [
        _claimed(table, has_hash, mix_hash_bits(bands_NB[:, band] + np.uint64(band << 16)), bytes_NB)
        for band in range(BANDS)
    ]
    if "group_id" in table.column_names:
        groups = table.column("group_id")
        has_group = np.flatnonzero(pc.is_valid(groups).to_numpy())
        equal_NB = np.zeros((len(has_group), BYTES), np.uint8)
        found.append(_claimed(table, has_group, mix_hash_bits(~hash_bucket_keys(groups.drop_null())), equal_NB))
    return pa.concat_tables(found)


def _claimed(table: pa.Table, rows: np.ndarray, keys: np.ndarray, hashes_NB: np.ndarray) -> pa.Table:
    taken = table.take(pa.array(rows))
    sizes = [-pc.fill_null(taken.column(name).cast(pa.float64()), 0).to_numpy() for name in ("shorter_side", "seconds")]
    columns = dict(zip(ORDER, (*sizes, taken.column("video_id")), strict=True))
    hashes = pa.array([row.tobytes() for row in hashes_NB], pa.binary())
    return pa.table({"key": keys, "row": rows.astype(np.uint32), **columns, "hash": hashes})


def compare(config: Config) -> Sequence[ClaimStep]:
    """Return two steps: clips with a near one are found, bucket by bucket, then all of these are looked at together."""
    about: dict[str, Any] = {"config": config, "is_counted": False}
    return [
        ClaimStep(
            name="near-clips", claims=claims, settle=near_duplicate_better_bits, run=_with_nearest, per_value=16,
            **about,
        ),
        ClaimStep(
            name="near-clips-that-stay", claims=_claims_of_near, settle=near_duplicate_kept_bits, run=_with_kept,
            bucket_values=ALL, **about,
        ),
    ]  # fmt: skip


def near_duplicate_better_bits(config: Config, claims: pa.Table) -> pa.Table:
    """Return claims with the fewest bits to a better clip of their group, and whether a better or worse one is near."""
    claims = claims.sort_by([(name, "ascending") for name in ("key", *ORDER)])
    hashes_NB = _hashes_of(claims)
    keys = claims.column("key").to_numpy()
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if len(keys) else np.empty(0, np.int64)
    bits, is_near = np.full(claims.num_rows, NONE, np.int32), np.zeros(claims.num_rows, bool)
    for start, end in pairwise([*starts, len(keys)]):
        if end - start > 1:
            bits[start:end], is_near[start:end] = _bits_to_others(hashes_NB[start:end], config.high)
    kept = claims.drop_columns(["key", "hash", *ORDER]).append_column(COLUMN, pa.array(bits))
    return kept.append_column(NEAR, pa.array(is_near)).filter(pa.array(is_near | (bits < NONE)))


def _bits_to_others(hashes_NB: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the fewest bits between each and one before it, NONE of the first, and whether any other is near."""
    fewest, is_near = np.full(len(hashes_NB), NONE, np.int32), np.zeros(len(hashes_NB), bool)
    left = np.arange(len(hashes_NB))
    while len(left) > 1:  # equal ones are near the same others, so copies of one clip take one round
        first, left = left[0], left[1:]
        apart = np.bitwise_count(hashes_NB[left] ^ hashes_NB[first]).sum(axis=1, dtype=np.int32)
        fewest[left] = np.minimum(fewest[left], apart)
        is_near[left[apart <= most]] = True
        is_near[first] |= (apart <= most).any()
        left = left[apart > 0]
    return fewest, is_near


def _with_nearest(config: Config, part: pa.Table, settled: pa.Table) -> pa.Table:
    bits, is_near = np.full(part.num_rows, NONE, np.int32), np.zeros(part.num_rows, bool)
    if settled.num_rows:
        rows = settled.column("row").to_numpy()
        np.minimum.at(bits, rows, settled.column(COLUMN).to_numpy())
        np.logical_or.at(is_near, rows, settled.column(NEAR).to_numpy())
    return with_column(with_column(part, COLUMN, pa.array(bits, mask=bits == NONE)), NEAR, pa.array(is_near))


def _claims_of_near(config: Config, part: pa.Table) -> pa.Table:
    rows = np.flatnonzero(part.column(NEAR).to_numpy())
    found = claims(config, part.take(pa.array(rows)))
    return with_column(found, "row", pa.array(rows.astype(np.uint32)[found.column("row").to_numpy()]))


def near_duplicate_kept_bits(config: Config, claims: pa.Table) -> pa.Table:
    """Return each clip once, with the fewest bits to a better one of its groups that stays; NONE where there is none.

    The best come first, so what a clip is near has been decided: one that goes never stands for others.
    """
    claims = claims.sort_by([(name, "ascending") for name in (*ORDER, PIECE, "row")])
    hashes_NB, keys = _hashes_of(claims), claims.column("key").to_pylist()
    clips = np.stack([claims.column(name).to_numpy() for name in (PIECE, "row")], axis=1)
    starts = np.flatnonzero((np.diff(clips, axis=0, prepend=-1) != 0).any(axis=1))
    staying: dict[int, list[int]] = {}
    bits = []
    for start, end in pairwise([*starts, len(keys)]):
        met = [(place, staying[keys[place]]) for place in range(start, end) if keys[place] in staying]
        apart = (np.bitwise_count(hashes_NB[others] ^ hashes_NB[place]).sum(axis=1).min() for place, others in met)
        bits.append(min(map(int, apart), default=NONE))
        for place in range(start, end) if bits[-1] > config.high else ():
            staying.setdefault(keys[place], []).append(place)
    found = claims.select(["row", PIECE]).take(pa.array(starts, pa.int64()))
    return found.append_column(COLUMN, pa.array(bits, pa.int32()))


def _with_kept(config: Config, part: pa.Table, settled: pa.Table) -> pa.Table:
    bits = pc.fill_null(part.column(COLUMN), NONE).to_numpy().copy()
    if settled.num_rows:
        bits[settled.column("row").to_numpy()] = settled.column(COLUMN).to_numpy()
    return with_column(part.drop_columns([NEAR]), COLUMN, pa.array(bits, mask=bits == NONE))


def _hashes_of(claims: pa.Table) -> np.ndarray:
    return np.frombuffer(b"".join(claims.column("hash").to_pylist()), np.uint8).reshape(-1, BYTES)


def run(config: Config, table: pa.Table) -> pa.Table:
    return mark(table, pc.less_equal(table.column(COLUMN), config.high), "near_duplicate")


def bounds(config: Config) -> Sequence[tuple[float, str]]:
    return video_bounds(config.high + 1, None)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    return f"its hash differs from a better clip's in {row[COLUMN]} of 192 bits, at most {config.high}"

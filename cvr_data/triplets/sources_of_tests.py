"""Where some texts alone give the test triplets: no other is test, and none of train or val shows a video of theirs."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.core.parts import hash_bucket_keys, mix_hash_bits
from cvr_data.core.stage_jobs import PIECE
from cvr_data.core.stages import ClaimStep, Side, Step
from cvr_data.triplets.claims import IS_TEST, drop_triplets_by_claims, triplet_claims
from cvr_data.videos.kin import Kin

_KIN = ("_reference_kin", "_target_kin")


def steps_of_test_sources(tests_kin: Side) -> list[Step]:
    """Return the steps that keep the test to its sources; the side says which videos of all corpora are kin."""
    return [
        Step(name="test source", run=_drop_other_tests),
        Step(name="kin", run=_with_kin, sides=(tests_kin,), is_counted=False),
        ClaimStep(name="test videos", run=_shares, claims=_test_claims, settle=_of_test_videos, per_value=4),
    ]


def _drop_other_tests(config: Any, rows: pa.Table) -> pa.Table:
    """Drop test triplets that no test source gave."""
    is_other = pc.and_(pc.invert(rows.column(IS_TEST)), pc.equal(rows.column("split"), "test"))
    return mark(rows, is_other, "not_of_test_source")


def _with_kin(config: Any, rows: pa.Table, kin: Kin) -> pa.Table:
    for name in ("reference", "target"):
        _, of_each = kin.of(hash_bucket_keys(rows.column(f"{name}_id")))
        rows = rows.append_column(f"_{name}_kin", pa.array(mix_hash_bits(of_each)))
    return rows


def _test_claims(config: Any, rows: pa.Table) -> pa.Table:
    """Return a claim of each row on its videos, their groups, and their kin in all corpora."""
    names = ("reference_id", "target_id", "reference_group_id", "target_group_id", *_KIN)
    keys = [rows.column(name).to_numpy() if name in _KIN else hash_bucket_keys(rows.column(name)) for name in names]
    claims = triplet_claims(keys, rows, {"is_test": rows.column(IS_TEST)})
    is_known = [pc.is_valid(rows.column(name)).to_numpy() for name in names]
    return claims.filter(pa.array(np.concatenate(is_known)))


def _of_test_videos(config: Any, claims: pa.Table) -> pa.Table:
    """Return the claims of others on what a test triplet uses."""
    is_test = claims.column("is_test").to_numpy()
    keys = claims.column("key").to_numpy()
    is_shared = np.isin(keys, keys[is_test]) & ~is_test
    return claims.select(["row", PIECE]).filter(pa.array(is_shared))


def _shares(config: Any, rows: pa.Table, found: pa.Table) -> pa.Table:
    return drop_triplets_by_claims("shares_test_video", config, rows.drop_columns([*_KIN]), found)

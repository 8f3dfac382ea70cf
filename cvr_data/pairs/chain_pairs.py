"""Two edits in a row: pairs of two changes, made of mined pairs A to B and B to C.

    "a red car in a city" -> "a blue car in a city" -> "a blue car in a forest" gives the pair of the first and the last
    with both changes: a query that asks for two things, of which a distractor may have one (`half_change`).

Both pairs are of one split and agree on the caption of B, and their changes are in different slots, so that the second
does not take back the first. A and C are other videos, no near-duplicates and no mined pair. Of a reference at most
`per_reference` are kept: those whose mined pairs are the most alike.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns, mark
from cvr_data.core.parts import hash_bucket_keys, mix_hash_bits
from cvr_data.core.ranges import SIZE, Ranged, option_range
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import ByColumn, KeyedStep, Step
from cvr_data.tables import PAIRS, pair_id

STAGE, STRATEGY, VERSION = "mine-pairs", "chain", 1
"""The stage is that of pairs, since everything that reads pairs reads these."""
_SIDE, _STRENGTH, _IS_MINED = "_side", "_strength", "_is_mined"
FIRST, SECOND = 0, 1


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    per_reference: int = field(default=4, metadata=option_range(SIZE))
    """Pairs of one reference that are kept."""
    max_changes: int = field(default=2, metadata=option_range("[2, inf)"))
    """Changes of a pair at most, those of both pairs together."""


def chain_pairs(
    pairs: Path, config: Config, out: Path, *, videos: Path | None = None, overwrite: bool = False
) -> Artifact:
    """Write the pairs of two changes that mined pairs make, and return the artifact.

    Raises:
        CvrError: no pairs, or `out` holds something else.
    """
    source = open_artifact(pairs, STAGE)
    followed = source.input_path("videos") if "videos" in source.manifest["inputs"] else None
    known = videos or followed
    inputs = {"pairs": pairs, **({"videos": known} if known else {})}
    about = {"strategy": STRATEGY, **config_dict(config)}
    run = StageRun(out, stage=STAGE, version=VERSION, config=about, inputs=inputs, overwrite=overwrite)
    if (done := run.finished()) is not None:
        return done
    required = [field.name for field in PAIRS if not field.nullable]
    read = run.read(pairs, PAIRS.names, required)
    with run:
        sides = [read.then(Step(name=f"side {side}", run=_sided_pairs, config=side, makes_rows=True, is_counted=False))
                 for side in (FIRST, SECOND)]  # fmt: skip
        about_chains: dict[str, Any] = {"makes_rows": True, "is_counted": False}
        chained = run.meet(sides, KeyedStep(name="chain", run=chains, key=_by_middle, config=config, **about_chains))
        mined = read.then(Step(name="mined", run=_pairs_as_mined, makes_rows=True, is_counted=False))
        flow = run.meet([chained, mined], KeyedStep(name="new", run=_new_pairs, key=_by_ends, makes_rows=True))
        kept = flow.then(
            KeyedStep(name="best", run=_strongest_pairs, key=ByColumn("reference_id"), config=config.per_reference)
        )
        kept = kept.then(Step(name="columns", run=_without_own, is_counted=False))
        return run.write(kept, PAIRS, sort_by=("reference_id", "target_id", "pair_id"))


def _sided_pairs(side: int, pairs: pa.Table) -> pa.Table:
    pairs = check_columns(pairs, PAIRS, "pairs").select(PAIRS.names)
    return pairs.append_column(_SIDE, pa.array(np.full(pairs.num_rows, side, np.int8)))


def _by_middle(config: Config, pairs: pa.Table) -> np.ndarray:
    """The video that pairs meet by: what the first leads to and the second starts at."""
    is_first = pc.equal(pairs.column(_SIDE), FIRST)
    return hash_bucket_keys(pc.if_else(is_first, pairs.column("target_id"), pairs.column("reference_id")))


def chains(config: Config, bucket: pa.Table) -> pa.Table:
    """Return the pairs that those of a bucket make."""
    onward: dict[tuple[str, str, str | None], list[dict[str, Any]]] = defaultdict(list)
    rows = bucket.to_pylist()
    for row in rows:
        if row[_SIDE] == SECOND:
            onward[row["reference_id"], row["reference_caption"], row["split"]].append(row)
    found = [
        made
        for first in rows
        if first[_SIDE] == FIRST
        for second in onward.get((first["target_id"], first["target_caption"], first["split"]), ())
        for made in _chained_pair(config, first, second)
    ]
    schema = pa.schema([*bucket.select(PAIRS.names).schema, (_STRENGTH, pa.float64()), (_IS_MINED, pa.bool_())])
    return pa.Table.from_pylist(found, schema=schema)


def _chained_pair(config: Config, first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the pair from the reference of one to the target of the other, where it is one of two changes."""
    changes = [*(first["changes"] or ()), *(second["changes"] or ())]
    slots = [{change["slot"] for change in row["changes"] or ()} for row in (first, second)]
    groups = first["reference_group_id"], second["target_group_id"]
    is_one = first["reference_id"] == second["target_id"] or (groups[0] is not None and groups[0] == groups[1])
    if is_one or not all(slots) or slots[0] & slots[1] or len(changes) > config.max_changes:
        return
    captions = first["reference_caption"], second["target_caption"]
    alike = [row["visual_similarity"] or row["text_similarity"] or 0.0 for row in (first, second)]
    yield {
        "pair_id": pair_id(first["reference_id"], second["target_id"], *captions),
        "reference_id": first["reference_id"], "target_id": second["target_id"],
        "reference_caption": captions[0], "target_caption": captions[1], "strategy": STRATEGY, "changes": changes,
        "text_similarity": None, "visual_similarity": None, "split": first["split"],
        "reference_group_id": groups[0], "target_group_id": groups[1], _STRENGTH: min(alike), _IS_MINED: False,
    }  # fmt: skip


def _pairs_as_mined(config: None, pairs: pa.Table) -> pa.Table:
    ends = check_columns(pairs, PAIRS, "pairs").select(["reference_id", "target_id"])
    return ends.append_column(_IS_MINED, pa.array(np.ones(ends.num_rows, bool)))


def _by_ends(config: Any, pairs: pa.Table) -> np.ndarray:
    return mix_hash_bits(
        hash_bucket_keys(pairs.column("reference_id")) + mix_hash_bits(hash_bucket_keys(pairs.column("target_id")))
    )


def _new_pairs(config: Any, bucket: pa.Table) -> pa.Table:
    """Return each pair that was made once; one whose two videos were paired by mining is dropped as `mined`."""
    keys = _by_ends(config, bucket)
    is_mined = bucket.column(_IS_MINED).to_numpy()
    made = bucket.filter(pa.array(~is_mined))
    made = mark(made, pa.array(np.isin(keys[~is_mined], keys[is_mined])), "mined")
    order = made.sort_by([("pair_id", "ascending"), (_STRENGTH, "descending")])
    ids = order.column("pair_id").to_pylist()
    is_again = np.array([at > 0 and ids[at] == ids[at - 1] for at in range(len(ids))], bool)
    return mark(order, pa.array(is_again), "another_way")


def _strongest_pairs(most: int, bucket: pa.Table) -> pa.Table:
    """Mark all but the strongest pairs of each reference."""
    order = pc.sort_indices(
        bucket, [("reference_id", "ascending"), (_STRENGTH, "descending"), ("pair_id", "ascending")]
    ).to_numpy()
    references = np.array(bucket.column("reference_id").to_pylist(), object)[order]
    starts = np.flatnonzero(np.append(True, references[1:] != references[:-1])[: len(references)])
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    is_beyond = np.zeros(len(order), bool)
    is_beyond[order] = place >= most
    return mark(bucket, pa.array(is_beyond), "over_reference_cap")


def _without_own(config: Any, pairs: pa.Table) -> pa.Table:
    return pairs.select(PAIRS.names)

"""Draws the pairs of a pilot: whole groups of pairs of the same two videos, in an order that the seed gives.

    draw_triplet_pilot_pairs(Path("pairs"), Path("plan/pilot-200/pairs"), Draw(pairs=200))

Pairs of the same two videos come together, so that what drops repeated triplets drops as many of a pilot as of the
whole. A larger pilot of one seed begins with the smaller one; `from_end` draws from the other end of the order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.parts import artifact_parts_of, chosen_columns, hash_bucket_keys, mix_hash_bits, read_part
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import StageRun
from cvr_data.tables import PAIRS

STAGE, STRATEGY, VERSION = "mine-pairs", "pilot", 1
"""The stage is that of pairs, since everything that reads pairs reads these."""
ENDS = ["reference_id", "target_id"]


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Which pairs are drawn."""

    pairs: int
    """At least so many, as far as there are."""
    seed: int = 0
    from_end: bool = False
    """Draw the last of the order; such a draw and one from its start share nothing, where there are enough."""


def draw_triplet_pilot_pairs(pairs: Path, out: Path, draw: Draw, *, overwrite: bool = False) -> Artifact:
    """Write the drawn pairs as an artifact of pairs, and return it.

    Raises:
        CvrError: there are no pairs, or `out` holds something else.
    """
    source = open_artifact(pairs, STAGE)
    if not source.manifest["rows"]:
        raise CvrError(f"{pairs} holds no pair to draw; mine some first.")
    inputs = {"pairs": pairs}
    if "videos" in source.manifest["inputs"]:
        inputs["videos"] = source.input_path("videos")
    about = {"strategy": STRATEGY, **config_dict(draw)}
    run = StageRun(out, stage=STAGE, version=VERSION, config=about, inputs=inputs, overwrite=overwrite)
    if (done := run.finished()) is not None:
        return done
    with run:
        flow = run.made("drawn", lambda: [pa.concat_tables(list(_drawn(source, draw)), promote_options="permissive")])
        return run.write(flow, PAIRS, sort_by=("reference_id", "target_id", "pair_id"))


def _drawn(source: Artifact, draw: Draw) -> Iterator[pa.Table]:
    """Yield what of each part is drawn, the schema of the first part at least."""
    needed = [field.name for field in PAIRS if not field.nullable]
    columns = chosen_columns(source.part_paths[0], None, needed, source.path)
    parts = artifact_parts_of(source.part_paths, columns).parts
    keys = [triplet_pilot_draw_keys(read_part(part, ENDS), draw.seed) for part in parts]
    groups, counts = np.unique(np.concatenate(keys), return_counts=True)
    if draw.from_end:
        groups, counts = groups[::-1], counts[::-1]
    most = int(np.searchsorted(np.cumsum(counts), min(draw.pairs, int(counts.sum()))))
    chosen = np.sort(groups[: most + 1])
    for part, of_part in zip(parts, keys, strict=True):
        is_drawn = np.isin(of_part, chosen)
        if is_drawn.any():
            yield read_part(part, columns).filter(pa.array(is_drawn))


def triplet_pilot_draw_keys(pairs: pa.Table, seed: int) -> np.ndarray:
    """Return a number per pair, by its two videos and the seed, that the order of the draw is by."""
    ends = hash_bucket_keys(pairs.column("reference_id")) + mix_hash_bits(hash_bucket_keys(pairs.column("target_id")))
    return mix_hash_bits(ends + mix_hash_bits(np.full(len(ends), seed + 1, np.uint64)))

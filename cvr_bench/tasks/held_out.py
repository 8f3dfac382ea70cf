"""A val split for training data that comes without one: some videos, which training sees on neither side."""

import hashlib
import logging

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column

logger = logging.getLogger(__name__)
LEFT_OUT = "left-out"
"""Split of triplets between a held-out video and one that is learned from."""


def with_held_out(triplets: pa.Table, share: float) -> pa.Table:
    """Return the triplets with those of a share of the train references, at least of one, moved to val.

    A hash of their names picks them, so that the order of the triplets does not matter. A train triplet with a video of
    these, or a near-duplicate of one, as its reference or its target becomes one of split `left-out`, which nothing
    reads; how many is logged. Where nothing would be left to learn from, such triplets stay.
    """
    is_train = pc.equal(triplets.column("split"), "train")
    references = triplets.filter(is_train).column("reference_id").unique().to_pylist()
    count = min(max(1, round(share * len(references))), len(references) - 1)
    digests = {name: hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:4] for name in references}
    chosen = sorted(references, key=lambda name: (digests[name], name))[: max(0, count)]
    is_held = pc.is_in(triplets.column("reference_id"), value_set=pa.array(chosen, pa.string()))
    is_val = pc.and_(is_held, is_train)
    split = pc.if_else(is_val, "val", triplets.column("split"))
    ends = [_groups(triplets, end) for end in ("reference", "target")]
    held = pa.chunked_array([*(end.filter(is_val).combine_chunks() for end in ends)], pa.string()).unique()
    touches = pc.or_(*(pc.is_in(end, value_set=held) for end in ends))
    left_out = pc.and_(pc.and_(is_train, pc.invert(is_val)), touches)
    count, rest = (pc.sum(rows).as_py() or 0 for rows in (left_out, pc.and_(is_train, pc.invert(touches))))
    if count and rest:
        split = pc.if_else(left_out, LEFT_OUT, split)
        logger.info(
            "%d train triplets have a held-out video on one side and are left out; %d are learned from", count, rest
        )
    return with_column(triplets, triplets.schema.field("split"), split)


def _groups(triplets: pa.Table, end: str) -> pa.ChunkedArray:
    """The near-duplicate group of each video of one end, or its own id."""
    ids, name = triplets.column(f"{end}_id"), f"{end}_group_id"
    return pc.coalesce(triplets.column(name), ids) if name in triplets.column_names else ids

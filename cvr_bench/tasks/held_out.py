"""A val split for training data that comes without one: some references with all their triplets."""

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column


def with_held_out(triplets: pa.Table, share: float) -> pa.Table:
    """Return the triplets with those of a share of the train references, at least of one, moved to val.

    A hash of their names picks them, so that the order of the triplets does not matter.
    """
    is_train = pc.equal(triplets.column("split"), "train")
    references = triplets.filter(is_train).column("reference_id").unique().to_pylist()
    count = min(max(1, round(share * len(references))), len(references) - 1)
    digests = {name: hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:4] for name in references}
    chosen = sorted(references, key=lambda name: (digests[name], name))[: max(0, count)]
    is_held = pc.is_in(triplets.column("reference_id"), value_set=pa.array(chosen, pa.string()))
    split = pc.if_else(pc.and_(is_held, is_train), "val", triplets.column("split"))
    return with_column(triplets, triplets.schema.field("split"), split)

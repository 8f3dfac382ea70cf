"""Triplets to train on that are not those of the scored data, so that a benchmark that only tests can be trained for.

    cvr bench --model combiner --data cirr --train-data cc-coir -e embeddings

The features of both lie in the one `--embeddings` folder. The checkpoint is chosen on the val split of the training
data; where it has none, a share of its references is held out.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.errors import CvrError

HELD_OUT = 0.02
"""Share of the references held out where the training data has no val split."""


@dataclass(frozen=True, kw_only=True)
class TrainingSource:
    """Where triplets to train on come from."""

    name: str
    files: Sequence[Path]
    """What is read, for the manifest of the result."""
    read: Callable[[], pa.Table]
    """Gives the triplets, with their splits."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Those that can change which triplets these are."""

    def identity(self) -> dict[str, Any]:
        """Return what names these triplets beside the content of their files."""
        return {"name": self.name, **self.options}

    def triplets(self) -> pa.Table:
        """Return train and val triplets; some are held out where there is no val.

        Raises:
            CvrError: there are too few to hold any out.
        """
        table = self.read()
        if pc.any(pc.equal(table.column("split"), "val")).as_py():
            return table
        table = with_held_out(table, HELD_OUT)
        if not pc.any(pc.equal(table.column("split"), "val")).as_py():
            raise CvrError(
                f"{self.name} has no val split, on which the checkpoint is chosen, and too few references to hold some "
                "out; add triplets of split val."
            )
        return table


def with_held_out(triplets: pa.Table, share: float) -> pa.Table:
    """Return the triplets with those of a share of the train references, at least of one, moved to val.

    A hash of their names picks them, so that the order of the triplets does not matter.
    """
    is_train = pc.equal(triplets.column("split"), "train")
    references = triplets.filter(is_train).column("reference_id").unique().to_pylist()
    count = min(max(1, round(share * len(references))), len(references) - 1)
    chosen = sorted(references, key=lambda name: (_number(name), name))[: max(0, count)]
    is_held = pc.is_in(triplets.column("reference_id"), value_set=pa.array(chosen, pa.string()))
    split = pc.if_else(pc.and_(is_held, is_train), "val", triplets.column("split"))
    return triplets.set_column(triplets.schema.get_field_index("split"), triplets.schema.field("split"), split)


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:4])

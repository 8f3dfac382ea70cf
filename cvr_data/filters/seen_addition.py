"""Keep what is added or removed only if frames bear it out: those with it fit its name clearly better than the others.

A change of which one side is empty asks for "there is a dog" in the stored features of both videos, so these need a
text tower or the heads of `cvr fit-heads`; other changes are left alone. The margin is of heads on
EfficientNet-Lite0's frames and MiniLM's texts: of pairs of MSR-VTT's videos of which no caption names a thing, one in
twenty is so far apart. Another encoder needs its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.core.ranges import Ranged, option_range
from cvr_data.filters._changes import SIDES, filter_change_fields, filter_rows_where

NEEDS = "seen_changes"


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    margin: float = field(default=0.3, metadata=option_range("[-2, 2]"))
    """By how much the cosine of the video that has the thing must be higher, at least."""


EXAMPLE = [
    {"reference_caption": "a man sings", "target_caption": "a man sings with a dog",
     "changes": [{"before": "", "after": "dog"}], "seen_changes": [0.1], "drop_reason": "not_seen"},
    {"reference_caption": "a man sings", "target_caption": "a man sings with a dog",
     "changes": [{"before": "", "after": "dog"}], "seen_changes": [None], "drop_reason": "not_seen"},
    {"reference_caption": "a man sings with a dog", "target_caption": "a man sings",
     "changes": [{"before": "dog", "after": ""}], "seen_changes": [0.5], "drop_reason": None},
    {"reference_caption": "a dog here", "target_caption": "a cat here", "seen_changes": [None], "drop_reason": None},
]  # fmt: skip


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "not_seen" where a thing comes or goes that frames do not bear out."""
    rows, sides = filter_change_fields(table, "changes", SIDES)
    is_one_sided = pc.or_(*(pc.equal(pc.fill_null(side, ""), "") for side in sides))
    seen = pc.list_flatten(table.column(NEEDS).combine_chunks())
    is_seen = pc.fill_null(pc.greater_equal(seen, np.float32(config.margin)), False)
    return mark(table, filter_rows_where(table, rows, pc.and_(is_one_sided, pc.invert(is_seen))), "not_seen")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    told = [
        f"{change['before'] or change['after']}: "
        + ("a video has no stored features" if seen is None else f"{seen:.3f} is below {config.margin}")
        for change, seen in zip(row["changes"], row[NEEDS], strict=True)
        if not (change["before"] and change["after"]) and (seen is None or seen < config.margin)
    ]
    return ", ".join(told)

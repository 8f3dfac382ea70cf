"""Drop pairs of clips that are the same piece of one recording, overlap, or lie too close together in it.

What is known of recordings and times is read from columns, addresses and ids (`cvr_data/videos/recordings.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.core.ranges import option_range

VERSION = 2
NEEDS = "segments"


@dataclass(frozen=True, kw_only=True)
class Config:
    apart_s: float = field(default=0.0, metadata=option_range("[0, inf]"))
    """Seconds that must lie between two clips of one recording; `inf` drops all pairs of one recording."""


EXAMPLE = [
    {"reference_recording": "tape", "target_recording": "tape", "drop_reason": "same_clip"},
    {
        "reference_recording": "tape",
        "target_recording": "tape",
        "reference_start_s": 0.0,
        "reference_end_s": 9.0,
        "target_start_s": 8.0,
        "target_end_s": 12.0,
        "drop_reason": "overlapping_clips",
    },
    {"reference_recording": "tape", "target_recording": "film", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "same_clip", "overlapping_clips" or "close_clips".

    Two clips of one recording without times are the same clip; where one end is not known, the clip has no length.
    """
    same = pc.fill_null(pc.equal(table.column("reference_recording"), table.column("target_recording")), False)
    starts = [table.column(f"{side}_start_s") for side in ("reference", "target")]
    ends = [
        pc.coalesce(table.column(f"{side}_end_s"), start)
        for side, start in zip(("reference", "target"), starts, strict=True)
    ]
    is_equal = pc.and_(pc.equal(*starts), pc.equal(*ends))
    table = mark(table, pc.and_(same, pc.fill_null(is_equal, True)), "same_clip")
    gap = pc.subtract(pc.max_element_wise(*starts, skip_nulls=False), pc.min_element_wise(*ends, skip_nulls=False))
    table = mark(table, pc.and_(same, pc.less(gap, 0.0)), "overlapping_clips")
    return mark(table, pc.and_(same, pc.less(gap, config.apart_s)), "close_clips")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    spans = [f"{row[f'{side}_start_s']} to {row[f'{side}_end_s']} s" for side in ("reference", "target")]
    limit = f", less than {config.apart_s} s apart" if row["drop_reason"] == "close_clips" else ""
    return f"both of {row['reference_recording']}: {' and '.join(spans)}{limit}"

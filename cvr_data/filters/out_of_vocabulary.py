"""Drop pairs whose changed word is rare in the corpus: a slip of the pen, a name, or a word nobody knows.

The vocabulary is that of the captions the pairs were mined from, so it knows the field of the corpus.

Source: CoVR drops pairs whose word is out of vocabulary, without saying of which (https://arxiv.org/abs/2308.14746).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.core.ranges import SIZE, Ranged, option_range
from cvr_data.filters._changes import SIDES, filter_change_fields, filter_rows_where

NEEDS = "change_counts"


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    least: int = field(default=3, metadata=option_range(SIZE))
    """Times a word is in the captions of the corpus to be of its vocabulary; raise it with the size of the corpus."""


EXAMPLE = [
    {"change_counts": [{"before": 2, "after": 9}], "drop_reason": "out_of_vocabulary"},
    {"change_counts": [{"before": 3, "after": 9}], "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    rows, sides = filter_change_fields(table, "change_counts", SIDES)
    before, after = (pc.fill_null(pc.less(counts, config.least), False) for counts in sides)
    return mark(table, filter_rows_where(table, rows, pc.or_(before, after)), "out_of_vocabulary")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    counts = [
        f"{change[side]!r} {count[side]} times"
        for change, count in zip(row["changes"], row["change_counts"], strict=True)
        for side in SIDES
        if count[side] is not None and count[side] < config.least
    ]
    return f"in the captions: {', '.join(counts)}, fewer than {config.least}"

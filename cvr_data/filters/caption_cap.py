"""Keep at most some pairs with the same reference caption, and some with the same target caption.

A caption that differs in one word from very many others is a pattern: "a man talks about a car". Captions are compared
as normalised. The most alike videos stay first, then a hash of them decides; a pair and its reverse share their fate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.core.columns import mark
from cvr_data.filters._caps import caption_codes, over_cap
from cvr_data.filters._columns import similarity_text

NEEDS = "visual_similarity"


@dataclass(frozen=True, kw_only=True)
class Config:
    most: int = 100
    """Pairs per reference caption, and per target caption."""

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ValueError(f"most must be at least 1, got {self.most}.")


EXAMPLE = [
    {"target_id": f"v{n:03}", "visual_similarity": n / 200, "drop_reason": None if n else "caption_cap"}
    for n in range(101)
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "caption_cap" on the less similar pairs of a crowded caption."""
    references, targets = caption_codes(table)
    is_over = over_cap(table, references, config.most) | over_cap(table, targets, config.most)
    return mark(table, pa.array(is_over), "caption_cap")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    """Return what of a dropped row was beyond which limit."""
    return (
        f"{config.most} other pairs with the reference caption, or the target caption, came first{similarity_text(row)}"
    )

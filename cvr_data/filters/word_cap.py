"""Keep at most some pairs in which the same word comes in, and some in which it goes out, to balance the changes.

Few words make most changes (man, woman, red), and a model that knows them needs no video. The most alike videos stay
first, then a hash of them decides; a pair and its reverse share their fate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.filters._caps import over_cap
from cvr_data.filters._changes import change_fields
from cvr_data.filters._columns import similarity_text

NEEDS = "visual_similarity"


@dataclass(frozen=True, kw_only=True)
class Config:
    most: int = 1000
    """Pairs with the same word before the change, and with the same word after it."""

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ValueError(f"most must be at least 1, got {self.most}.")


EXAMPLE = [
    {
        "target_id": f"v{n:04}",
        "target_caption": "a blue ball rolls",
        "visual_similarity": n / 2000,
        "drop_reason": None if n else "word_cap",
    }
    for n in range(1001)
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "word_cap" where a word of any change is in more similar pairs enough."""
    rows, sides = change_fields(table, "changes", ("before", "after"))
    is_dropped = np.zeros(table.num_rows, bool)
    for words in sides:
        is_word = pc.is_valid(words).to_numpy(zero_copy_only=False)
        codes = words.filter(pa.array(is_word)).dictionary_encode().indices.to_numpy().astype(np.int64)
        is_over = over_cap(table, codes, config.most, rows[is_word])
        is_dropped[rows[is_word][is_over]] = True
    return mark(table, pa.array(is_dropped), "word_cap")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    """Return what of a dropped row was beyond which limit."""
    return f"{config.most} other pairs with the word before, or the word after, came first{similarity_text(row)}"

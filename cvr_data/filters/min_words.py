"""Drop pairs with a caption of few words: "cat" pairs with everything that has one word."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.filters._columns import filter_caption_lengths, filter_lengths_text


@dataclass(frozen=True, kw_only=True)
class Config:
    min_words: int = 2
    """Fewest words of either caption. Three cost recall: of the real WebVid-CoVR test pairs 10.7 % are shorter."""

    def __post_init__(self) -> None:
        if self.min_words < 1:
            raise ValueError(f"min_words must be at least 1, got {self.min_words}.")


EXAMPLE = [
    {"reference_caption": "cat", "drop_reason": "few_words"},
    {"reference_caption": "a cat", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "few_words" where a caption is shorter."""
    return mark(table, pc.less(pc.min_element_wise(*filter_caption_lengths(table)), config.min_words), "few_words")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    """Return how many words the captions of a dropped row have."""
    return f"{filter_lengths_text(row)}, fewer than {config.min_words}"

"""Drop pairs with a caption of very many words, where one word changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.core.ranges import SIZE, Ranged, option_range
from cvr_data.filters._columns import filter_caption_lengths, filter_lengths_text


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    max_words: int = field(default=40, metadata=option_range(SIZE))
    """Most words of either caption; WebVid's longest are lists of key words."""


EXAMPLE = [
    {"reference_caption": "red " * 41, "drop_reason": "many_words"},
    {"reference_caption": "red " * 40, "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    return mark(table, pc.greater(pc.max_element_wise(*filter_caption_lengths(table)), config.max_words), "many_words")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    return f"{filter_lengths_text(row)}, more than {config.max_words}"

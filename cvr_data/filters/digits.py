"""Drop pairs whose changed word has a digit: "clip 12" to "clip 13" is no change a person would ask for.

Source: CoVR drops pairs that differ in a digit or punctuation (https://arxiv.org/abs/2308.14746).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.filters._changes import filter_any_change, filter_changed_words


@dataclass(frozen=True, kw_only=True)
class Config:
    pattern: str = r"^[\d\p{P}\p{S}]+$|\d"
    """RE2 expression of a word that does not count as a change; the default is any digit, or nothing but signs."""


EXAMPLE = [
    {"reference_caption": "clip 12 of it", "target_caption": "clip 13 of it", "drop_reason": "digit"},
    {"reference_caption": "a cat in clip 12", "target_caption": "a dog in clip 12", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    is_digit = filter_any_change(table, lambda words: pc.match_substring_regex(words, config.pattern))
    return mark(table, is_digit, "digit")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    return filter_changed_words(row)

"""Lint: drop texts without a word.

Source: our own check; the commonest failure of a small language model is to end at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from cvr_data.core.ranges import SIZE, Ranged, option_range
from cvr_data.filters._lint import drop_linted_where
from cvr_data.language.words import words_of


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    min_words: int = field(default=1, metadata=option_range(SIZE))
    """Fewer words than this are no text."""


EXAMPLE = [
    {"modification": " ...", "drop_reason": "empty"},
    {"modification": "blue", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    return drop_linted_where(table, "empty", lambda row: len(words_of(row["modification"])) < config.min_words)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    return f"{len(words_of(row['modification'] or ''))} words, of at least {config.min_words}"

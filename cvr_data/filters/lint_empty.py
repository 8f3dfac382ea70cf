"""Lint: drop texts without a word.

Source: our own check; the commonest failure of a small language model is to end at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.filters._lint import LintRow, drop_linted_where
from cvr_data.language.words import words_of


@dataclass(frozen=True, kw_only=True)
class Config:
    min_words: int = 1
    """Fewer words than this are no text."""

    def __post_init__(self) -> None:
        if self.min_words < 1:
            raise ValueError(f"min_words must be at least 1, got {self.min_words}.")


EXAMPLE = [
    {"modification": " ...", "drop_reason": "empty"},
    {"modification": "blue", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "empty" where the modification has too few words."""

    def reason(row: LintRow) -> str | None:
        return "empty" if len(words_of(row["modification"])) < config.min_words else None

    return drop_linted_where(table, reason)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    """Return how many words the text has."""
    return f"{len(words_of(row['modification'] or ''))} words, of at least {config.min_words}"

"""Lint: drop texts shorter than their style promises: a dense text of ten words is a short one.

Source: dense texts have 31 words on average (Thawakar et al., ICCV 2025, https://arxiv.org/abs/2508.14039); the bound
is our own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.filters._lint import LintRow, drop_linted_where
from cvr_data.language.words import words_of


@dataclass(frozen=True, kw_only=True)
class Config:
    dense: int = 30
    """Fewest words of a dense text."""
    other: int = 1
    """Fewest words of a text of any other style."""

    def __post_init__(self) -> None:
        if min(self.dense, self.other) < 1:
            raise ValueError("a limit must be at least 1 word.")


EXAMPLE = [
    {"modification": "make the ball blue", "style": "dense", "drop_reason": "too_short"},
    {"modification": "make the ball blue", "style": "short", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "too_short" where the modification has too few words for its style."""

    def reason(row: LintRow) -> str | None:
        return "too_short" if len(words_of(row["modification"])) < _limit(config, row["style"])[1] else None

    return drop_linted_where(table, reason)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    """Return how many words the text has, and how many its style promises."""
    style, fewest = _limit(config, row.get("style"))
    return f"{len(words_of(row['modification'] or ''))} words; {style} texts have at least {fewest}"


def _limit(config: Config, style: str | None) -> tuple[str, int]:
    return ("dense", config.dense) if style == "dense" else ("other", config.other)

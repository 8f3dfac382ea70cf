"""Lint: drop texts longer than their style allows.

Source: CoVR's texts have 4.8 words on average (Ventura et al., AAAI 2024, https://arxiv.org/abs/2308.14746); dense ones
31 (Thawakar et al., ICCV 2025, https://arxiv.org/abs/2508.14039). The limits leave room above both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.filters._lint import LintRow, drop_linted_where
from cvr_data.language.words import words_of


@dataclass(frozen=True, kw_only=True)
class Config:
    short: int = 12
    """Most words of a short text."""
    static: int = 20
    """Most words of a static text: it also names what is excluded."""
    action: int = 20
    """Most words of an action text."""
    dense: int = 80
    """Most words of a dense text."""
    other: int = 80
    """Most words of a style of your own."""

    def __post_init__(self) -> None:
        if min(self.short, self.static, self.action, self.dense, self.other) < 1:
            raise ValueError("a limit must be at least 1 word.")


EXAMPLE = [
    {"modification": "make the ball " + "very " * 10 + "blue", "drop_reason": "too_long"},
    {"modification": "make the ball " + "very " * 10 + "blue", "style": "static", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "too_long" where the modification exceeds the limit of its style."""

    def reason(row: LintRow) -> str | None:
        return "too_long" if len(words_of(row["modification"])) > _limit(config, row["style"])[1] else None

    return drop_linted_where(table, reason)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    """Return how many words the text has, and how many its style allows."""
    style, most = _limit(config, row.get("style"))
    return f"{len(words_of(row['modification']))} words; {style} texts have at most {most}"


def _limit(config: Config, style: str | None) -> tuple[str, int]:
    name = style if style in ("short", "static", "action", "dense") else "other"
    return name, getattr(config, name)

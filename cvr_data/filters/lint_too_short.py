"""Lint: drop texts shorter than their style promises: a dense text of ten words is a short one.

Source: dense texts have 31 words on average (Thawakar et al., ICCV 2025, https://arxiv.org/abs/2508.14039); the bound
is our own.
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
    dense: int = field(default=30, metadata=option_range(SIZE))
    """Fewest words of a dense text."""
    other: int = field(default=1, metadata=option_range(SIZE))
    """Fewest words of a text of any other style."""


EXAMPLE = [
    {"modification": "make the ball blue", "style": "dense", "drop_reason": "too_short"},
    {"modification": "make the ball blue", "style": "short", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    return drop_linted_where(
        table, "too_short", lambda row: len(words_of(row["modification"])) < _limit(config, row["style"])[1]
    )


def explain(config: Config, row: Mapping[str, Any]) -> str:
    style, fewest = _limit(config, row.get("style"))
    return f"{len(words_of(row['modification'] or ''))} words; {style} texts have at least {fewest}"


def _limit(config: Config, style: str | None) -> tuple[str, int]:
    return ("dense", config.dense) if style == "dense" else ("other", config.other)

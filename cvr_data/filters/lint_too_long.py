"""Lint: drop texts longer than their style allows.

Source: CoVR's texts have 4.8 words on average (Ventura et al., AAAI 2024, https://arxiv.org/abs/2308.14746); dense ones
31 (Thawakar et al., ICCV 2025, https://arxiv.org/abs/2508.14039). The limits leave room above both.
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
    short: int = field(default=12, metadata=option_range(SIZE))
    """Most words of a short text."""
    static: int = field(default=20, metadata=option_range(SIZE))
    """Most words of a static text: it also names what is excluded."""
    action: int = field(default=20, metadata=option_range(SIZE))
    """Most words of an action text."""
    dense: int = field(default=80, metadata=option_range(SIZE))
    """Most words of a dense text."""
    other: int = field(default=80, metadata=option_range(SIZE))
    """Most words of a style of your own."""


EXAMPLE = [
    {"modification": "make the ball " + "very " * 10 + "blue", "drop_reason": "too_long"},
    {"modification": "make the ball " + "very " * 10 + "blue", "style": "static", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    return drop_linted_where(
        table, "too_long", lambda row: len(words_of(row["modification"])) > _limit(config, row["style"])[1]
    )


def explain(config: Config, row: Mapping[str, Any]) -> str:
    style, most = _limit(config, row.get("style"))
    return f"{len(words_of(row['modification']))} words; {style} texts have at most {most}"


def _limit(config: Config, style: str | None) -> tuple[str, int]:
    name = style if style in ("short", "static", "action", "dense") else "other"
    return name, getattr(config, name)

"""Lint: drop texts that bring in things which neither caption has.

A small language model likes to copy its examples ("have the boy read") or to invent. Words of editing (make, colour,
background ...) are free; other content words must be of a caption or a change, in any form, or mean by the lexicon what
one of theirs means, a kind of it, or what it is a kind of. The request for the change itself may have two more, as
people's have: "replace the juicy red grapes with white grapes".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.filters._lint import LintRow, execute_linted_row, filter_executed_texts, filter_text_row
from cvr_data.language.execution import Outcome


@dataclass(frozen=True, kw_only=True)
class Config:
    max_words: int = 0
    """Foreign words that are let through."""


LANGUAGES = ("en",)
EXAMPLE = [
    {"modification": "have the boy read", "drop_reason": "foreign_words"},
    {"modification": "change the color of the ball to blue", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "foreign_words" where more than `max_words` words come from nowhere.

    A text that says the change in words of its own is judged by `lint-change`.
    """

    def reason(row: LintRow, outcome: Outcome) -> str | None:
        is_judged = bool(outcome.missed) and row["asked_shift"] is not None
        return "foreign_words" if len(outcome.foreign) > config.max_words and not is_judged else None

    return filter_executed_texts(table, reason)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    words = execute_linted_row(filter_text_row(row)).foreign
    return f"neither caption has {', '.join(map(repr, words))}; {config.max_words} such words are let through"

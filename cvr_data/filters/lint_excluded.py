"""Lint: drop static and action texts that do not exclude what they should.

FDCA learns what a query excludes by cutting the words "instead of", "rather than" and "not" out of the text, so its
negation view needs texts where the excluded concept is named and stands after one of them.

Source: FDCA, ICLR 2025, and its FineCVR texts of retained, injected and excluded concepts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.filters._lint import (
    LintRow,
    execute_linted_row,
    filter_executed_texts,
    filter_text_row,
    filtered_changes_in_words,
    filtered_words_quoted,
)
from cvr_data.language.execution import Outcome, required_phrase_changes
from cvr_data.language.words import mentions


@dataclass(frozen=True, kw_only=True)
class Config:
    styles: tuple[str, ...] = ("static", "action")
    """Styles that promise to name the excluded concept."""


LANGUAGES = ("en",)
EXAMPLE = [
    {"style": "static", "modification": "make the ball blue", "drop_reason": "excluded_not_negated"},
    {"style": "static", "modification": "make the ball blue, not red", "drop_reason": None},
    {"style": "short", "modification": "make the ball blue", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    def reason(row: LintRow, outcome: Outcome) -> str | None:
        if row["style"] not in config.styles:
            return None
        excluded = [change.before for change in required_phrase_changes(row["changes"], row["style"]) if change.before]
        return None if all(mentions(outcome.excluded, concept) for concept in excluded) else "excluded_not_negated"

    return filter_executed_texts(table, reason)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    outcome = execute_linted_row(read := filter_text_row(row))
    excluded = filtered_words_quoted(outcome.excluded)
    return f"the change is {filtered_changes_in_words(read)}; the text takes back {excluded}"

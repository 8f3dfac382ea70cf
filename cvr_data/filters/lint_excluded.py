"""Lint: drop static and action texts that do not exclude what they should.

FDCA learns what a query excludes by cutting the words "instead of", "rather than" and "not" out of the text, so its
negation view needs texts where the excluded concept is named and stands after one of them.

Source: FDCA, ICLR 2025, and its FineCVR texts of retained, injected and excluded concepts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.filters._lint import LintRow, changes_text, drop_executed, executed_row, lint_row, words_text
from cvr_data.language.execution import Outcome, required
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
        excluded = [change.before for change in required(row["changes"], row["style"]) if change.before]
        return None if all(mentions(outcome.excluded, concept) for concept in excluded) else "excluded_not_negated"

    return drop_executed(table, reason)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    outcome = executed_row(read := lint_row(row))
    return f"the change is {changes_text(read)}; the text takes back {words_text(outcome.excluded)}"

"""Lint: drop texts that go the wrong way or change another thing.

For guitar -> piano, "replace the piano with a guitar" is the way back, "change the man to a piano" turns the wrong
thing, and "play the guitar on a piano" keeps both; of "a woman in a red dress", "make the woman blue" gives the colour
to the wrong thing. The text is done to the reference: `cvr_data.language.execution`.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cvr_data.filters._lint import (
    Config,
    LintRow,
    execute_linted_row,
    filter_executed_texts,
    filter_text_row,
    filtered_changes_in_words,
    filtered_words_quoted,
)
from cvr_data.language.execution import Outcome

REASONS = ("wrong_direction", "changes_something_else")
LANGUAGES = ("en",)
EXAMPLE = [
    {"modification": "replace blue with red", "drop_reason": "wrong_direction"},
    {
        "reference_caption": "a red ball rolls on a road",
        "target_caption": "a blue ball rolls on a road",
        "modification": "make the road blue",
        "drop_reason": "changes_something_else",
    },
    {"modification": "replace red with blue", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    def reason(row: LintRow, outcome: Outcome) -> str | None:
        return outcome.reason if outcome.reason in REASONS else None

    return filter_executed_texts(table, reason)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    outcome = execute_linted_row(read := filter_text_row(row))
    back = f" and takes back {filtered_words_quoted(outcome.excluded)}" if outcome.excluded else ""
    return (
        f"the change is {filtered_changes_in_words(read)}; the text brings {filtered_words_quoted(outcome.new)}{back}"
    )

"""Lint: drop texts that are one of the two captions, word for word.

Such a text says nothing about what changes, even if it adds what is not to be seen ("a cat runs on sand, not a dog"); a
text that merely holds most of the target caption is `lint-leak`'s.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from cvr_data.filters._lint import Config, LintRow, execute_linted_row, filter_executed_texts, filter_text_row
from cvr_data.language.execution import Outcome
from cvr_data.language.words import words_of

_ARTICLES = {"a", "an", "the"}


LANGUAGES = ("en",)
EXAMPLE = [
    {"modification": "The blue ball rolls.", "drop_reason": "copied_caption"},
    {"modification": "a blue ball", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    def reason(row: LintRow, outcome: Outcome) -> str | None:
        text = _without_articles(outcome.new if outcome.excluded else words_of(row["modification"]))
        captions = (_without_articles(words_of(row[f"{side}_caption"])) for side in ("reference", "target"))
        return "copied_caption" if text and text in captions else None

    return filter_executed_texts(table, reason)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    text = (
        _without_articles(execute_linted_row(filter_text_row(row)).new),
        _without_articles(words_of(row["modification"])),
    )
    is_target = _without_articles(words_of(row["target_caption"])) in text
    side = "target" if is_target else "reference"
    return f"the {side} caption is {row[f'{side}_caption']!r}"


def _without_articles(words: Iterable[str]) -> list[str]:
    return [word for word in words if word not in _ARTICLES]

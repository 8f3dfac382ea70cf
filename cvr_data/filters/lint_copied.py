"""Lint: drop texts that are one of the two captions, word for word.

Such a text says nothing about what changes; a text that merely holds most of the target caption is `lint-leak`'s.
"""

import pyarrow as pa

from cvr_data.filters._lint import Config, LintRow, drop_linted_where
from cvr_data.language.words import words_of

_ARTICLES = {"a", "an", "the"}


EXAMPLE = [
    {"modification": "The blue ball rolls.", "drop_reason": "copied_caption"},
    {"modification": "a blue ball", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "copied_caption" where the modification is a caption, articles apart."""

    def reason(row: LintRow) -> str | None:
        text = _without_articles(row["modification"])
        captions = (_without_articles(row["reference_caption"]), _without_articles(row["target_caption"]))
        return "copied_caption" if text and text in captions else None

    return drop_linted_where(table, reason)


def _without_articles(text: str) -> list[str]:
    return [word for word in words_of(text) if word not in _ARTICLES]

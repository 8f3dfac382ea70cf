"""Lint: drop texts that bring in things which neither caption has.

A small language model likes to copy its examples ("have the boy read") or to invent. Words of editing (make, colour,
background ...) are free; other content words must occur in a caption or a change, in any form.
"""

from dataclasses import dataclass

import pyarrow as pa

from cvr_data.filters._lint import LintRow, drop_linted_where
from cvr_data.language.stop_words import EDIT_WORDS
from cvr_data.language.words import content_words, has_word, words_of


@dataclass(frozen=True, kw_only=True)
class Config:
    max_words: int = 0
    """Foreign words that are let through; people write one in every fourth text ("baby bump" for pregnant)."""


EXAMPLE = [
    {"modification": "have the boy read", "drop_reason": "foreign_words"},
    {"modification": "change the color of the ball to blue", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "foreign_words" where more than `max_words` words come from nowhere."""

    def reason(row: LintRow) -> str | None:
        known = words_of(f"{row['reference_caption']} {row['target_caption']}")
        known += [word for change in row["changes"] for word in words_of(f"{change['before']} {change['after']}")]
        text = [word for word in content_words(words_of(row["modification"])) if word not in EDIT_WORDS]
        return "foreign_words" if sum(not has_word(known, word) for word in text) > config.max_words else None

    return drop_linted_where(table, reason)

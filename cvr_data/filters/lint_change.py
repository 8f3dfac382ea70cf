"""Lint: drop texts that do not ask for the target's concept.

The concept (`after` of a change) must be named, in any form of the word, outside of a negation: "make the ball red
instead of blue" names blue only to take it back. With `min_similarity`, a phrase that means the same will do: "make it
dark" asks for darkness. The similarity is read from the column `asked_similarity`, which `generate-modifications` adds.
"""

from dataclasses import dataclass

import pyarrow as pa

from cvr_data.filters._lint import LintRow, drop_linted_where, linted_changes
from cvr_data.language.edits import Sides, split_negated
from cvr_data.language.words import mentions, words_of


@dataclass(frozen=True, kw_only=True)
class Config:
    min_similarity: float = 0.0
    """A phrase of the text this close to the concept (cosine by MiniLM) asks for it too; 0: only its own word does. At
    0.7, a quarter of what people put in other words passes, and 0.4 % of the texts of other pairs."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_similarity <= 1:
            raise ValueError(f"min_similarity must be between 0 and 1, got {self.min_similarity}.")


EXAMPLE = [
    {"modification": "make the ball red instead of blue", "drop_reason": "misses_change"},
    {"modification": "make the ball blue instead of red", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "misses_change" where an `after` concept is not asked for.

    Rows without a change that has an `after` are kept: there is nothing to miss.
    """

    def reason(row: LintRow) -> str | None:
        sides = split_negated(row["modification"])
        missed = [change for change in linted_changes(row) if change["after"] and not _asks_for(change, sides)]
        return "misses_change" if missed and not _in_other_words(row, config, missed, sides) else None

    return drop_linted_where(table, reason)


def _in_other_words(row: LintRow, config: Config, missed: list[dict[str, str]], sides: Sides) -> bool:
    similarity = row["asked_similarity"]
    if not config.min_similarity or similarity is None or similarity < config.min_similarity:
        return False
    return not any(mentions(sides.negated, change["after"]) for change in missed)


def _asks_for(change: dict[str, str], sides: Sides) -> bool:
    after = change["after"]
    takes_it_back = mentions(sides.negated, after) and not mentions(words_of(change["before"] or ""), after)
    return mentions(sides.affirmed, after) and not takes_it_back

"""Lint: drop texts that do not ask for the target's concept.

The text is done to the reference (`cvr_data.language.execution`): what should come in (`after` of a change) must be
named by an operation that brings it, in any form of the word or by one that the lexicon calls the same or a kind of it;
"make the ball red instead of blue", "no piano" and "stop the dogs from sleeping" name it only to take it back.

What says it in other words ("make it dark" for darkness) can be judged by the sentence encoder: `min_similarity` by the
nearest phrase of the text alone, `min_shift` by how far the text moves the reference towards the target. Both are read
from columns that `generate-modifications` adds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from cvr_data.core.ranges import Ranged, option_range
from cvr_data.filters._lint import (
    LintRow,
    execute_linted_row,
    filter_executed_texts,
    filter_text_row,
    filtered_changes_in_words,
    filtered_words_quoted,
)
from cvr_data.language.execution import Outcome

NEAR = 0.4
"""With `min_shift`, the nearest phrase must be at least so close to the concept."""


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    min_similarity: float = field(default=0.0, metadata=option_range("[0, 1]"))
    """A phrase of the text this close to the concept (cosine by MiniLM) asks for it too; 0: only words do. At 0.7, a
    quarter of what people put in other words passes, and 0.4 % of the texts of other pairs."""
    min_shift: float | None = None
    """A text asks for the concept too if the caption rewritten by it comes this much closer to the target's, and its
    words to what comes in than to what goes; null: no text does. At 0.01, half of what people put in other words
    passes, 1 % of the texts of other pairs, and 15 % of such texts for the way back."""


LANGUAGES = ("en",)
EXAMPLE = [
    {"modification": "make the ball red instead of blue", "drop_reason": "misses_change"},
    {"modification": "make the ball blue instead of red", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    def reason(row: LintRow, outcome: Outcome) -> str | None:
        if outcome.reason == "misses_change":
            return outcome.reason
        return "misses_change" if outcome.missed and not _in_other_words(row, config) else None

    return filter_executed_texts(table, reason)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    outcome = execute_linted_row(read := filter_text_row(row))
    told = f"the change is {filtered_changes_in_words(read)}; the text brings {filtered_words_quoted(outcome.new)}"
    if (similarity := read["asked_similarity"]) is not None and (shift := read["asked_shift"]) is not None:
        told += f" (similarity {similarity:.3f}, shift {shift:.3f})"
    return told


def _in_other_words(row: LintRow, config: Config) -> bool:
    similarity, shift = row["asked_similarity"], row["asked_shift"]
    if similarity is None:
        return False
    is_near = 0 < config.min_similarity <= similarity
    return is_near or (None not in (config.min_shift, shift) and similarity >= NEAR and shift >= config.min_shift)

"""Lint: drop texts that change nothing, or ask twice: "turn the horse into a horse", "keep it the same"."""

import re
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
from cvr_data.language.edits import replaced, split_negated
from cvr_data.language.execution import Outcome
from cvr_data.language.words import content_words, folded, has_word, mentions, same_word, words_of

_NOTHING = re.compile(
    r"\b(?:no|without|nothing|not)\s+(?:any\s+)?change[sd]?\b|\bkeep (?:it|the video|everything)\b.*\bsame\b"
)


LANGUAGES = ("en",)
EXAMPLE = [
    {"modification": "turn the ball into a ball", "drop_reason": "no_op"},
    {"modification": "turn the red ball blue instead of red", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    def reason(row: LintRow, outcome: Outcome) -> str | None:
        text = folded(row["modification"])
        is_no_op = (
            outcome.reason == "no_op"
            or _NOTHING.search(text)
            or _into_itself(text)
            or _instead_of_itself(text, row)
            or _says_it_twice(text, row)
        )
        return "no_op" if is_no_op else None

    return filter_executed_texts(table, reason)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    read = filter_text_row(row)
    text, outcome = folded(read["modification"]), execute_linted_row(read)
    if outcome.reason == "no_op" or _into_itself(text):
        return f"the change is {filtered_changes_in_words(read)}; the text brings {filtered_words_quoted(outcome.new)}"
    if found := _NOTHING.search(text):
        return f"it says {found[0]!r}"
    if _instead_of_itself(text, read):
        return f"it brings and takes back {filtered_words_quoted(split_negated(text).negated)}"
    return f"it names what comes in twice; the change is {filtered_changes_in_words(read)}"


def _into_itself(text: str) -> bool:
    if (sides := replaced(text)) is None:
        return False
    old, new = map(content_words, sides)
    return len(old) == len(new) > 0 and all(same_word(one, other) for one, other in zip(old, new, strict=True))


def _instead_of_itself(text: str, row: LintRow) -> bool:
    affirmed, negated = split_negated(text)
    if any(mentions(negated, change["before"] or "") for change in row["changes"]):
        return False  # "turn the red ball blue instead of red"
    taken_back = content_words(negated)
    return bool(taken_back) and all(has_word(affirmed, word) for word in taken_back)


def _says_it_twice(text: str, row: LintRow) -> bool:
    if replaced(text) is not None:
        return False  # "change the pepper to a green pepper"
    affirmed = content_words(split_negated(text).affirmed)
    wanted = [word for change in row["changes"] for word in content_words(words_of(change["after"] or ""))]
    return any(sum(same_word(word, other) for other in affirmed) > 1 for word in wanted)

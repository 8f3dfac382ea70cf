"""Lint: drop texts that bring in what the reference has already: "add a beach" where there is a beach.

Such a text asks for nothing, or means the reference's own thing and misses the change. "add another ball" and "add a
blue ball" to a red one are fine.
"""

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cvr_data.filters._lint import Config, LintRow, drop_linted_where, filter_text_row, filtered_words_quoted
from cvr_data.language.stop_words import EDIT_WORDS
from cvr_data.language.words import content_words, folded, has_word, words_of

_BROUGHT = re.compile(
    r"\b(?:add|adding|include|insert|introduce|bring in|put in|"
    r"there (?:is|are|should be)(?: now)?|now there (?:is|are))\b"
    r"(?P<what>.+?)(?=\b(?:to|in|into|on|onto|at|next|beside|behind|near|under|above|with|that|which|who|so|instead|"
    r"rather|while|and)\b|[,;.]|$)"
)
_MORE = frozenset("more another second third two three four several many extra additional other again bigger".split())


LANGUAGES = ("en",)
EXAMPLE = [
    {"modification": "now there is a red ball", "drop_reason": "reference_as_new"},
    {"modification": "add another ball", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    return drop_linted_where(table, "reference_as_new", _brought_again)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    words = _brought_again(filter_text_row(row)) or []
    return f"it brings in {filtered_words_quoted(words)}, and the reference is {row['reference_caption']!r}"


def _brought_again(row: LintRow) -> list[str] | None:
    """The words of the first thing that a text adds though it is there."""
    reference = words_of(row["reference_caption"])
    wanted = [word for change in row["changes"] for word in words_of(change["after"] or "")]
    brought = (words_of(match["what"]) for match in _BROUGHT.finditer(folded(row["modification"])))
    return next((words for words in brought if _is_there(words, reference, wanted)), None)


def _is_there(words: list[str], reference: list[str], wanted: list[str]) -> bool:
    if not _MORE.isdisjoint(words) or any(has_word(wanted, word) for word in content_words(words)):
        return False
    named = [word for word in content_words(words) if word not in EDIT_WORDS]
    return bool(named) and all(has_word(reference, word) for word in named)

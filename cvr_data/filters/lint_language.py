"""Lint: drop texts that are not in English: letters of another script, or more German than English words.

Letters and words that a caption has are fine: "replace the fiancee with a fiancé" quotes it. The words looked for are
function words and edit verbs of six languages that no English text has.

Source: our own rule; multilingual models fall into another language, most often one of these or Chinese.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cvr_data.filters._lint import Config, LintRow, drop_linted_where
from cvr_data.language.stop_words import EDIT_WORDS, SMALL_WORDS
from cvr_data.language.which_language import FOREIGN
from cvr_data.language.words import words_of

LANGUAGES = ("en",)
EXAMPLE = [
    {"modification": "mache den Ball blau, nicht rot", "drop_reason": "not_english"},
    {"modification": "make the ball blue, à la carte", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    return drop_linted_where(table, "not_english", _is_foreign)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    words = [word for word in words_of(row["modification"]) if word in FOREIGN or not word.isascii()]
    return f"not English: {', '.join(map(repr, words))}"


def _is_foreign(row: LintRow) -> bool:
    words = words_of(row["modification"])
    if row["modification"].isascii() and FOREIGN.isdisjoint(words):
        return False
    names = ("reference_caption", "target_caption", "reference_description", "target_description")
    known = set(words_of(" ".join(row[name] for name in names)))
    words = [word for word in words if word not in known]
    letters = (letter for letter in "".join(words) if letter.isalpha() and not letter.isascii())
    names_of_letters = (unicodedata.name(letter, "") for letter in letters)
    if not all(name.startswith("LATIN") for name in names_of_letters):
        return True
    foreign = sum(word in FOREIGN for word in words)
    english = sum(word in SMALL_WORDS or word in EDIT_WORDS for word in words)
    return foreign > english

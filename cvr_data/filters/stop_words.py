"""Drop pairs whose change is a function word, such as "the" to "a" or "with" to "and", which shows nothing.

Words that can be seen, such as "two", "under", "up" or "without", are not among them, though many stop lists have them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.filters._changes import SIDES, filter_change_fields, filter_changed_words, filter_rows_where_all
from cvr_data.language.normalise import word_lists
from cvr_data.language.stop_words import FUNCTION_WORDS
from cvr_data.language.words import words_of


@dataclass(frozen=True, kw_only=True)
class Config:
    words: tuple[str, ...] = FUNCTION_WORDS
    """What counts as a stop word; the default is English. Lists of other languages hold much that can be seen (spaCy's
    French ones "deux", "sous" and "sans"), so they are not taken unasked."""
    keep: tuple[str, ...] = ()
    """Words that are none after all, such as "in,on" where positions matter."""


EXAMPLE = [
    {"reference_caption": "the ball rolls", "target_caption": "a ball rolls", "drop_reason": "stop_word"},
    {"reference_caption": "two balls roll", "target_caption": "three balls roll", "drop_reason": None},
]


def languages(config: Config) -> tuple[str, ...]:
    return ("en",) if config.words == FUNCTION_WORDS else ()


def run(config: Config, table: pa.Table) -> pa.Table:
    words, kept = ({word for text in texts for word in words_of(text)} for texts in (config.words, config.keep))
    stops = pa.array(sorted(words - kept), pa.string())

    def is_stop(phrases: pa.Array) -> pa.Array:
        named = phrases.dictionary_encode()
        words = word_lists(named.dictionary)
        others = pc.list_parent_indices(words).filter(pc.invert(pc.is_in(pc.list_flatten(words), stops)))
        rows = pa.array(range(len(words)), pa.int64())
        is_empty = pc.equal(pc.list_value_length(words), 0)
        return pc.and_not(pc.invert(pc.is_in(rows, others.cast(pa.int64()))), is_empty).take(named.indices)

    rows, sides = filter_change_fields(table, "changes", SIDES)
    before, after = (pc.fill_null(is_stop(phrases), False) for phrases in sides)
    return mark(table, filter_rows_where_all(table, rows, pc.or_(before, after)), "stop_word")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    return f"one side of {filter_changed_words(row)} is a stop word"

"""Drop pairs whose change is one of grammar or spelling: "runs" to "running", "a" to "the", "is" to "was", "colour".

The first that applies is the reason: `article_change` (both words are articles, or pronouns that stand as one),
`auxiliary_change`, `spelling_variant`, and `same_lemma`, which takes every form of a word for the word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.filters._changes import SIDES, change_fields, changed_words, rows_where, rows_where_all
from cvr_data.language.spelling import plain_spelling

NEEDS = "change_words"
ARTICLES = tuple("a an the this that these those some any his her its their my your our".split())
AUXILIARIES = tuple(
    "am are be been being can could did do does had has have is may might must shall should was were will would".split()
)


@dataclass(frozen=True, kw_only=True)
class Config:
    number: Literal["drop", "keep"] = "drop"
    """Whether "dog" to "dogs", which can be seen, is dropped as `same_lemma`, too."""


EXAMPLE = [
    {"reference_caption": "the ball rolls", "target_caption": "a ball rolls", "drop_reason": "article_change"},
    {"reference_caption": "it was red", "target_caption": "it is red", "drop_reason": "auxiliary_change"},
    {"reference_caption": "a grey cat", "target_caption": "a gray cat", "drop_reason": "spelling_variant"},
    {
        "reference_caption": "a man runs",
        "target_caption": "a man running",
        "change_words": [
            {"before_part": "VERB", "before_lemma": "run", "after_part": "VERB", "after_lemma": "run"},
        ],
        "drop_reason": "same_lemma",
    },
    {"reference_caption": "a man runs", "target_caption": "a man sings", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with one of four values of `drop_reason` where all changes are of grammar alone."""
    rows, (before, after) = change_fields(table, "changes", SIDES)
    names = [f"{side}_{what}" for what in ("lemma", "part") for side in SIDES]
    _, (*lemmas, before_part, after_part) = change_fields(table, "change_words", names)
    is_word = pc.not_equal(pc.fill_null(before, ""), "")
    is_same_lemma = pc.and_(is_word, pc.equal(*lemmas))
    if config.number == "keep":
        is_same_lemma = pc.and_not(
            is_same_lemma, pc.and_(*(pc.equal(part, "NOUN") for part in (before_part, after_part)))
        )
    hits = {
        "article_change": pc.and_(*(pc.is_in(words, pa.array(ARTICLES)) for words in (before, after))),
        "auxiliary_change": pc.and_(*(pc.is_in(words, pa.array(AUXILIARIES)) for words in (before, after))),
        "spelling_variant": pc.and_(is_word, pc.equal(plain_spelling(before), plain_spelling(after))),
        "same_lemma": is_same_lemma,
    }
    is_grammar = rows_where_all(table, rows, reduce(pc.or_, (pc.fill_null(is_hit, False) for is_hit in hits.values())))
    for reason, is_hit in hits.items():
        table = mark(table, pc.and_(is_grammar, rows_where(table, rows, is_hit)), reason)
    return table


def explain(config: Config, row: Mapping[str, Any]) -> str:
    """Return the words of a dropped row, with their lemmas where those were the reason."""
    if row["drop_reason"] != "same_lemma":
        return changed_words(row)
    lemmas = ", ".join(words["after_lemma"] for words in row["change_words"])
    return f"{changed_words(row)}: both are {lemmas!r}"

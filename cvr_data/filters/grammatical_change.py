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
from cvr_data.filters._changes import (
    SIDES,
    filter_change_fields,
    filter_changed_words,
    filter_rows_where,
    filter_rows_where_all,
)
from cvr_data.language.stop_words import ARTICLES, AUXILIARIES

LANGUAGES = ("en",)
NEEDS = "change_words"


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
    rows, (before, after) = filter_change_fields(table, "changes", SIDES)
    names = [f"{side}_{what}" for what in ("lemma", "part") for side in SIDES]
    _, (*lemmas, before_part, after_part) = filter_change_fields(table, "change_words", names)
    is_word = pc.not_equal(pc.fill_null(before, ""), "")
    is_same_lemma = pc.and_(is_word, pc.equal(*lemmas))
    if config.number == "keep":
        is_same_lemma = pc.and_not(
            is_same_lemma, pc.and_(*(pc.equal(part, "NOUN") for part in (before_part, after_part)))
        )
    hits = {
        "article_change": pc.and_(*(pc.is_in(words, pa.array(ARTICLES)) for words in (before, after))),
        "auxiliary_change": pc.and_(*(pc.is_in(words, pa.array(AUXILIARIES)) for words in (before, after))),
        "spelling_variant": pc.and_(is_word, pc.equal(_plain_spelling(before), _plain_spelling(after))),
        "same_lemma": is_same_lemma,
    }
    is_grammar = filter_rows_where_all(
        table, rows, reduce(pc.or_, (pc.fill_null(is_hit, False) for is_hit in hits.values()))
    )
    for reason, is_hit in hits.items():
        table = mark(table, pc.and_(is_grammar, filter_rows_where(table, rows, is_hit)), reason)
    return table


def explain(config: Config, row: Mapping[str, Any]) -> str:
    if row["drop_reason"] != "same_lemma":
        return filter_changed_words(row)
    lemmas = ", ".join(words["after_lemma"] for words in row["change_words"])
    return f"{filter_changed_words(row)}: both are {lemmas!r}"


_RULES = (
    ("[-'.]", ""),
    ("(col|harb|neighb|flav|fav|vap|arm|hum|lab|rum|behavi|hon|parl|sav|od|glam|splend)our", r"\1or"),
    (r"(\w{2,}[bct])re(s?)$", r"\1er\2"),
    (r"\b(kilo|centi|milli)?(met|lit)re(s?)$", r"\1\2er\3"),
    (r"(\w{3,})([iy])s(e|es|ed|er|ers|ing|ation|ations)$", r"\1\2z\3"),
    (r"(\w{3,}[aeiou])ll(er|ers|ed|ing|ery|or|ors)$", r"\1l\2"),
    (r"(def|off|lic|pret)ence", r"\1ense"),
    (r"(\w{3,})ogue(s?)$", r"\1og\2"),
    (r"(\w{2,})wards$", r"\1ward"),
)
_IRREGULAR = {
    "grey": "gray", "greyish": "grayish", "aeroplane": "airplane", "aeroplanes": "airplanes", "tyre": "tire",
    "tyres": "tires", "kerb": "curb", "plough": "plow", "ploughs": "plows", "ploughing": "plowing",
    "moustache": "mustache", "moustaches": "mustaches", "pyjamas": "pajamas", "doughnut": "donut",
    "doughnuts": "donuts", "cosy": "cozy", "mould": "mold", "moulds": "molds", "jewellery": "jewelry",
    "programme": "program", "programmes": "programs", "aluminium": "aluminum", "yoghurt": "yogurt",
    "whisky": "whiskey", "omelette": "omelet", "ageing": "aging", "barbeque": "barbecue", "okay": "ok",
    "archaeological": "archeological", "aesthetic": "esthetic", "manoeuvre": "maneuver", "manoeuvres": "maneuvers",
    "amongst": "among", "whilst": "while", "amidst": "amid", "practise": "practice", "practising": "practicing",
    "sceptical": "skeptical", "axe": "ax", "storey": "story", "draught": "draft", "sulphur": "sulfur",
}  # fmt: skip


def _plain_spelling(words: pa.Array) -> pa.Array:
    """Return each word in one spelling, which need not be a word: variants ("colour" and "color") have equal ones.

    The rules leave short words alone, where two different words could meet ("four" and "for").
    """
    named = words.dictionary_encode()
    plain = named.dictionary
    for pattern, replacement in _RULES:
        plain = pc.replace_substring_regex(plain, pattern, replacement)
    found = pc.index_in(plain, pa.array(list(_IRREGULAR)))
    plain = pc.coalesce(pa.array(list(_IRREGULAR.values())).take(found), plain)
    return plain.take(named.indices)

"""Lint: drop texts with a pronoun that nothing before it, and nobody in the reference caption, explains.

"make it blue" speaks of the video's subject, and "have the man raise his hand" explains itself. But "put a hat on it"
leaves open on what, and "let her run" needs one woman in the reference, not none and not two.

Source: the authors of HUD count such pronouns in a third of generated texts; the rule is our own.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pyarrow as pa

from cvr_data.filters._lint import Config, LintRow, drop_linted_where, filter_text_row
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.stop_words import EDIT_WORDS, SMALL_WORDS
from cvr_data.language.words import has_word, words_of

_THINGS = frozenset("it its itself".split())
_MEN = frozenset("he him his himself".split())
_WOMEN = frozenset("she her hers herself".split())
_MANY = frozenset("they them their theirs themselves".split())
_AGENTS = ("er", "or", "ist", "ian")
"""A tailor, a violinist: who they are, their word does not tell, nor whether it is a person at all."""
_GROUPS = frozenset("people men women children and couple pair group family crowd team audience".split())
_APART = frozenset("and another other with to from at".split())
"""Between two words for people, these tell that they are two."""
_BEFORE_IT = EDIT_WORDS | frozenset("have has and but then so that as where if".split())


LANGUAGES = ("en",)
EXAMPLE = [
    {"modification": "put a hat on it", "drop_reason": "unclear_pronoun"},
    {"modification": "make it blue", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    return drop_linted_where(table, "unclear_pronoun", _unclear)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    unclear = ", ".join(map(repr, _unclear(filter_text_row(row))))
    shown = row.get("reference_description") or row["reference_caption"]
    return f"nothing before it in the text, and nobody in the reference, is {unclear}: {shown!r}"


def _unclear(row: LintRow) -> list[str]:
    words = words_of(row["modification"])
    shown = words_of(row["reference_description"] or row["reference_caption"])
    reference = [word.removesuffix("'s") for word in shown]
    pronouns = ((place, word) for place, word in enumerate(words) if word in _THINGS | _MEN | _WOMEN | _MANY)
    return [word for place, word in pronouns if _is_unclear(word, words[:place], reference)]


def _is_unclear(pronoun: str, earlier: list[str], reference: list[str]) -> bool:
    named = [word for word in earlier if word not in SMALL_WORDS | EDIT_WORDS]
    if pronoun in _THINGS:
        if len(earlier) <= 1 or earlier[-1] in _BEFORE_IT:
            return False  # "it should be", "grill it", "and make it"
        return not any(has_word(reference, word) for word in named) if reference else not named
    return not named and not _one_fits(pronoun, reference)


def _one_fits(pronoun: str, reference: list[str]) -> bool:
    if pronoun in _MANY:
        return any(word.endswith("s") or word in _GROUPS for word in reference)
    own, opposite = ("male", "female") if pronoun in _MEN else ("female", "male")
    single = [(place, word) for place, word in enumerate(reference) if not word.endswith(("s", "men"))]
    fitting = [place for place, word in single if own in _kinds(word)]
    others = [word for _, word in single if word.endswith(_AGENTS) or _is_anyone(word, opposite)]
    # Words for people may be of one: "a young woman" after "beautiful girl", not "a girl and a woman".
    return all(_APART.isdisjoint(reference[one:other]) for one, other in pairwise(fitting)) if fitting else bool(others)


def _is_anyone(word: str, opposite: str) -> bool:
    kinds, lexicon = _kinds(word), read_lexicon()
    is_noun = lexicon.frequency(word, "noun") >= lexicon.frequency(word, "adj")  # a Red is a person
    return is_noun and opposite not in kinds and not kinds.isdisjoint(("person", "animal"))


def _kinds(word: str) -> frozenset[str]:
    return frozenset((word,)) if word in ("male", "female") else read_lexicon().classes(word)

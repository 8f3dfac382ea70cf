"""Drop pairs whose captions say the same, or differ in what cannot be seen: synonyms, tense, topics, a word left out.

The reason says why no change of the pair counts: `synonym`, `same_verb_class` (talks, explains), `same_lemma`,
`spelling`, `word_order`, `function_words`; `topic` (of talk) and `not_visible`; `only_added` and `only_removed`, as
what a caption does not say may be there all the same; `more_general` and `more_special` (poppy, flower), `number`,
`nobody` ("someone") and `film`, which are weak. It knows English; captions in another script are `not_english`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column
from cvr_data.filters._changes import filter_changed_words
from cvr_data.filters._columns import FOREIGN, mark_filter_foreign

VERSION = 2
LANGUAGES = ("en",)
NEEDS = "change_reasons"
GENERAL = ("more_general", "more_special")


@dataclass(frozen=True, kw_only=True)
class Config:
    general: Literal["drop", "keep"] = "drop"
    """Whether a word for the other's kind ("flower" for "poppy") is dropped, though a viewer may see the difference."""


EXAMPLE = [
    {"reference_caption": "a sofa here", "target_caption": "a couch here", "change_reasons": ["synonym"],
     "drop_reason": "synonym"},
    {"reference_caption": "a poppy here", "target_caption": "a flower here", "change_reasons": ["more_general"],
     "drop_reason": "more_general"},
    {"reference_caption": "a dog here", "target_caption": "a cat here", "change_reasons": [None], "drop_reason": None},
    {"reference_caption": "\u72d7\u5728\u8dd1", "target_caption": "\u732b\u5728\u8dd1", "change_reasons": ["spelling"],
     "drop_reason": "not_english"},
]  # fmt: skip


def run(config: Config, table: pa.Table) -> pa.Table:
    table = mark_filter_foreign(table)
    found = [_reason(config, reasons or []) for reasons in table.column(NEEDS).to_pylist()]
    reasons = pa.chunked_array([pa.array(found, pa.string())])
    return with_column(table, "drop_reason", pc.coalesce(table.column("drop_reason"), reasons))


def _reason(config: Config, reasons: Sequence[str | None]) -> str | None:
    """Return why a pair goes: the reason of its first change, if none of its changes counts."""
    is_kept = any(reason is None or (config.general == "keep" and reason in GENERAL) for reason in reasons)
    return None if is_kept or not reasons else reasons[0]


def explain(config: Config, row: Mapping[str, Any]) -> str:
    told = "this filter knows English alone; leave it out for other captions: " if row["drop_reason"] == FOREIGN else ""
    return told + filter_changed_words(row)

"""Keep pairs whose changed words are of parts of speech that can be seen: an allow list.

Parts are spaCy's universal ones of the word in its caption; of a phrase, that of its last word. A word without a part,
such as one that a strategy did not take from the captions, is allowed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.filters._changes import SIDES, filter_change_fields, filter_changed_words, filter_rows_where
from cvr_data.language.slots import PARTS

NEEDS = "change_words"


@dataclass(frozen=True, kw_only=True)
class Config:
    allowed: tuple[str, ...] = ("NOUN", "PROPN", "VERB", "ADJ", "ADV", "NUM", "ADP")
    """Universal parts of speech; both words must have one of them."""
    same: bool = False
    """Whether both words must have the same part, so that a thing becomes a thing and an action an action."""

    def __post_init__(self) -> None:
        if unknown := sorted({*self.allowed} - {*PARTS}):
            raise ValueError(f"allowed must be of {', '.join(PARTS)}, got {', '.join(unknown)}.")


EXAMPLE = [
    {
        "reference_caption": "a man with a hat",
        "target_caption": "the man with a hat",
        "change_words": [{"before_part": "DET", "before_lemma": "a", "after_part": "DET", "after_lemma": "the"}],
        "drop_reason": "part_of_speech",
    },
    {
        "change_words": [{"before_part": "ADJ", "before_lemma": "red", "after_part": None, "after_lemma": "blue"}],
        "drop_reason": None,
    },
]


def run(config: Config, table: pa.Table) -> pa.Table:
    rows, parts = filter_change_fields(table, "change_words", [f"{side}_part" for side in SIDES])
    allowed = pa.array([*config.allowed, None], pa.string())
    is_refused = pc.or_(*(pc.invert(pc.is_in(side, allowed)) for side in parts))
    table = mark(table, filter_rows_where(table, rows, is_refused), "part_of_speech")
    if config.same:
        table = mark(table, filter_rows_where(table, rows, pc.not_equal(*parts)), "other_part_of_speech")
    return table


def explain(config: Config, row: Mapping[str, Any]) -> str:
    parts = ", ".join(f"{words['before_part']} -> {words['after_part']}" for words in row["change_words"])
    return f"{filter_changed_words(row)} is {parts}; allowed: {', '.join(config.allowed)}"

"""Drop pairs with a template caption, whose videos are flags, 3d renders or key-word lists and not scenes.

Source: CoVR leaves out captions with "abstract of", "concept of" and "flag of" (https://arxiv.org/abs/2308.14746).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.filters._columns import filter_distinct
from cvr_data.language.normalise import normalised
from cvr_data.language.words import words_of


@dataclass(frozen=True, kw_only=True)
class Config:
    phrases: tuple[str, ...] = ("flag of", "concept of", "abstract of")
    """A caption with any of these phrases, as whole words, is a template."""


EXAMPLE = [
    {"reference_caption": "flag of chad", "target_caption": "flag of peru", "drop_reason": "template"},
    {"reference_caption": "a flag in chad", "target_caption": "a flag in peru", "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    def is_template(texts: pa.Array) -> pa.Array:
        spaced = pc.binary_join_element_wise("", normalised(texts), "", " ")
        found = [pc.match_substring(spaced, f" {phrase} ") for phrase in map(_said, config.phrases)]
        return reduce(pc.or_, found, pa.array(np.zeros(len(texts), bool)))

    for side in ("reference", "target"):
        table = mark(table, filter_distinct(table.column(f"{side}_caption"), is_template), "template")
    return table


def _said(phrase: str) -> str:
    """Return a phrase as captions say it: its words with single spaces between."""
    return " ".join(words_of(phrase))


def explain(config: Config, row: Mapping[str, Any]) -> str:
    texts = normalised(pa.array([row["reference_caption"], row["target_caption"]])).to_pylist()
    found = [phrase for phrase in config.phrases if any(f" {_said(phrase)} " in f" {text} " for text in texts)]
    return f"a caption has {', '.join(map(repr, found))}"

"""Drop pairs with a template caption, whose videos are flags, 3d renders or key-word lists and not scenes.

Source: CoVR leaves out captions with "abstract of", "concept of" and "flag of" (https://arxiv.org/abs/2308.14746).
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.filters._columns import mark
from cvr_data.normalise import normalised


@dataclass(frozen=True, kw_only=True)
class Config:
    phrases: tuple[str, ...] = ("flag of", "concept of", "abstract of")
    """A caption with any of these phrases, as whole words, is a template."""


TINY = Config()


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "template" where a caption has one of the phrases."""
    for side in ("reference", "target"):
        text = pc.binary_join_element_wise("", normalised(table.column(f"{side}_caption")), "", " ")
        for phrase in config.phrases:
            table = mark(table, pc.match_substring(text, f" {phrase} "), "template")
    return table

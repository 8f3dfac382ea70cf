"""Drop pairs with a caption of very many words, where one word changes nothing."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.filters._columns import mark
from cvr_data.normalise import word_counts


@dataclass(frozen=True, kw_only=True)
class Config:
    max_words: int = 40
    """Most words of either caption; WebVid's longest are lists of key words."""

    def __post_init__(self) -> None:
        if self.max_words < 1:
            raise ValueError(f"max_words must be at least 1, got {self.max_words}.")


TINY = Config()


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "many_words" where a caption is longer."""
    counts = [word_counts(table.column(f"{side}_caption")) for side in ("reference", "target")]
    return mark(table, pc.greater(pc.max_element_wise(*counts), config.max_words), "many_words")

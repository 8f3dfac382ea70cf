"""A stage that a spawned worker can import: keeps pairs whose captions have at most `longest` words."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.tables import PAIRS

VERSION = 1
ROWS = 2
INPUTS = {"pairs": PAIRS}
OUTPUT = PAIRS


@dataclass(frozen=True, kw_only=True)
class Config:
    longest: int = 4


def run(config: Config, pairs: pa.Table) -> pa.Table:
    words = pc.list_value_length(pc.utf8_split_whitespace(pairs.column("reference_caption")))
    reason = pc.if_else(pc.greater(words, config.longest), "too long", pa.scalar(None, pa.string()))
    return pairs.append_column("drop_reason", reason)

"""Keep at most some pairs in which the same word comes in, and some in which it goes out, to balance the changes.

Few words make most changes (man, woman, red), and a model that knows them needs no video. The most alike videos stay
first, then a hash of them decides; a pair and its reverse share their fate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import set_drop_reason_column
from cvr_data.core.parts import hash_bucket_keys, mix_hash_bits
from cvr_data.core.ranges import SIZE, option_range
from cvr_data.filters._caps import CapConfig, claims_lost_to_filter, filter_cap_claims
from cvr_data.filters._changes import filter_change_fields
from cvr_data.filters._columns import filter_similarity_text

NEEDS = "visual_similarity"
REASON = "word_cap"


@dataclass(frozen=True, kw_only=True)
class Config(CapConfig):
    most: int = field(default=1000, metadata=option_range(SIZE))
    """Pairs with the same word before the change, and with the same word after it."""


EXAMPLE = [
    {
        "target_id": f"v{n:04}",
        "target_caption": "a blue ball rolls",
        "visual_similarity": n / 2000,
        "drop_reason": None if n else "word_cap",
    }
    for n in range(1001)
]


def run(config: Config, table: pa.Table) -> pa.Table:
    return set_drop_reason_column(table, settle(config, claims(config, table)).column("row").to_numpy(), REASON)


def claims(config: Config, table: pa.Table) -> pa.Table:
    """Return a claim for each word before a change, among the pairs with that, and each after one, among those."""
    rows, sides = filter_change_fields(table, "changes", ("before", "after"))
    is_word = [pc.is_valid(words) for words in sides]
    keys = [mix_hash_bits(hash_bucket_keys(words.filter(valid))) for words, valid in zip(sides, is_word, strict=True)]
    of_row = [rows[valid.to_numpy(zero_copy_only=False)] for valid in is_word]
    return filter_cap_claims(table, [keys[0], ~keys[1]], of_row)


def settle(config: Config, claims: pa.Table) -> pa.Table:
    return claims_lost_to_filter(config.most, claims)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    return f"{config.most} other pairs with the word before, or the word after, came first{filter_similarity_text(row)}"

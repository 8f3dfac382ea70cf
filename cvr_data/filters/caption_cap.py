"""Keep at most some pairs with the same reference caption, and some with the same target caption.

A caption that differs in one word from very many others is a pattern: "a man talks about a car". Captions are compared
as normalised. The most alike videos stay first, then a hash of them decides; a pair and its reverse share their
fate where the strategy gives both ways of every pair (concept gives each reference its best targets).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from cvr_data.core.columns import set_drop_reason_column
from cvr_data.core.ranges import SIZE, option_range
from cvr_data.filters._caps import CapConfig, claims_lost_to_filter, filter_cap_caption_keys, filter_cap_claims
from cvr_data.filters._columns import filter_similarity_text

NEEDS = "visual_similarity"
REASON = "caption_cap"


@dataclass(frozen=True, kw_only=True)
class Config(CapConfig):
    most: int = field(default=100, metadata=option_range(SIZE))
    """Pairs per reference caption, and per target caption."""


EXAMPLE = [
    {"target_id": f"v{n:03}", "visual_similarity": n / 200, "drop_reason": None if n else "caption_cap"}
    for n in range(101)
]


def run(config: Config, table: pa.Table) -> pa.Table:
    return set_drop_reason_column(table, settle(config, claims(config, table)).column("row").to_numpy(), REASON)


def claims(config: Config, table: pa.Table) -> pa.Table:
    """Return two claims of each row: among the pairs of its reference caption, and of its target caption."""
    references, targets = filter_cap_caption_keys(table)
    return filter_cap_claims(table, [references, ~targets])


def settle(config: Config, claims: pa.Table) -> pa.Table:
    return claims_lost_to_filter(config.most, claims)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    first = f"{config.most} other pairs with the reference caption, or the target caption, came first"
    return first + filter_similarity_text(row)

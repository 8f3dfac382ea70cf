"""Keep at most some pairs with the same reference, and some with the same target, the most alike first.

A video that is in very many pairs is learned by heart. Pairs over either limit go, so a video may keep fewer than the
limit; equally similar pairs are taken in the order of a hash of their videos, and a pair and its reverse share their
fate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from cvr_data.core.columns import set_drop_reason_column
from cvr_data.core.ranges import SIZE, option_range
from cvr_data.filters._caps import CapConfig, claims_lost_to_filter, filter_cap_claims, filter_cap_video_keys
from cvr_data.filters._columns import filter_similarity_text

NEEDS = "visual_similarity"
REASON = "video_cap"


@dataclass(frozen=True, kw_only=True)
class Config(CapConfig):
    most: int = field(default=50, metadata=option_range(SIZE))
    """Pairs per reference video, and per target video; WebVid-CoVR has about 13 per target."""


EXAMPLE = [
    {
        "target_id": f"v{n:02}",
        "target_caption": f"a ball in room {n}",
        "visual_similarity": n / 99,
        "drop_reason": None if n else "video_cap",
    }
    for n in range(51)
]


def run(config: Config, table: pa.Table) -> pa.Table:
    return set_drop_reason_column(table, settle(config, claims(config, table)).column("row").to_numpy(), REASON)


def claims(config: Config, table: pa.Table) -> pa.Table:
    """Return two claims of each row: among the pairs of its reference, and of its target."""
    references, targets = filter_cap_video_keys(table)
    return filter_cap_claims(table, [references, ~targets])


def settle(config: Config, claims: pa.Table) -> pa.Table:
    return claims_lost_to_filter(config.most, claims)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    return f"{config.most} other pairs of the reference, or of the target, came first{filter_similarity_text(row)}"

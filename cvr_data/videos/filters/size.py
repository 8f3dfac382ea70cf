"""Keep clips whose picture is large enough, and not a strip.

Encoders of the field see 224 to 384 pixels square; WebVid, which CoVR is made of, has 336 x 596.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.videos.filters._band import Band, explain_video_band, mark_video_band, video_bounds
from cvr_data.videos.seen import Seen

COLUMN = "shorter_side"
FIELDS = (pa.field(COLUMN, pa.int32()), pa.field("longer_side", pa.int32()))
MEASURED = 1
_BAND = Band(COLUMN, "too_small", unit=" pixels")


@dataclass(frozen=True, kw_only=True)
class Config:
    low: int = 224
    """Pixels of the shorter side, at least: smaller pictures are scaled up for every encoder."""
    longest: float | None = 3.0
    """Times that the longer side may be the shorter one: encoders press a strip into a square, or see its middle."""


EXAMPLE = [
    {COLUMN: 223, "longer_side": 400, "drop_reason": "too_small"},
    {COLUMN: 224, "longer_side": 400, "drop_reason": None},
    {COLUMN: 240, "longer_side": 1000, "drop_reason": "strip"},
    {COLUMN: None, "longer_side": None, "drop_reason": None},
]


def measure(seen: Seen) -> Mapping[str, Any]:
    shorter, longer = sorted((seen.info.width, seen.info.height))
    return {COLUMN: shorter, "longer_side": longer}


def run(config: Config, table: pa.Table) -> pa.Table:
    table = mark_video_band(table, _BAND, config.low, None)
    if config.longest is None:
        return table
    ratio = pc.divide(table.column("longer_side").cast(pa.float64()), table.column(COLUMN).cast(pa.float64()))
    return mark(table, pc.greater(ratio, config.longest), "strip")


def bounds(config: Config) -> Sequence[tuple[float, str]]:
    return video_bounds(config.low, None)


def explain(config: Config, row: Mapping[str, Any]) -> str:
    if row[COLUMN] < config.low:
        return explain_video_band(row, _BAND, config.low, None)
    return f"{row['longer_side']} pixels are over {config.longest:g} times the {row[COLUMN]} of the shorter side"

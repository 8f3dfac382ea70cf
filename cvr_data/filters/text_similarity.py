"""Keep pairs whose captions are neither synonyms nor strangers: a band of their cosine similarity.

CoVR's band 0.60 to 0.96 is of CLIP's text encoder (https://arxiv.org/abs/2308.14746). With MiniLM it would lose 13.7 %
of the WebVid-CoVR test pairs that people kept; their 1st and 99th percentile, the default here, keep all but 2 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.filters._columns import BandConfig, explain_filter_band, mark_outside_filter_band

NEEDS = "text_similarity"


@dataclass(frozen=True, kw_only=True)
class Config(BandConfig):
    low: float = 0.41
    """Less similar captions are dropped (cosine)."""
    high: float = 0.976
    """More similar captions are dropped (cosine)."""


EXAMPLE = [
    {"text_similarity": 0.1, "drop_reason": "text_too_different"},
    {"text_similarity": 0.99, "drop_reason": "text_too_similar"},
    {"text_similarity": 0.8, "drop_reason": None},
]


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "text_too_different" or "text_too_similar" outside the band."""
    return mark_outside_filter_band(config, table, NEEDS, "text")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    """Return the similarity of a dropped row against the bound it is beyond."""
    return explain_filter_band(config, row, NEEDS)

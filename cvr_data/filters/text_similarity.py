"""Keep pairs whose captions are neither synonyms nor strangers: a band of their cosine similarity.

CoVR's band 0.60 to 0.96 is of CLIP's text encoder (https://arxiv.org/abs/2308.14746). With MiniLM it would lose 13.7 %
of the WebVid-CoVR test pairs that people kept; their 1st and 99th percentile, the default here, keep all but 2 %.
A band is of one encoder: another needs its own, which `cvr calibrate` finds on pairs that people kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.core.text_bands import MINILM, check_default_band
from cvr_data.filters._columns import (
    FOREIGN,
    BandConfig,
    explain_filter_band,
    mark_filter_foreign,
    mark_outside_filter_band,
)

VERSION = 2
NEEDS = "text_similarity"


@dataclass(frozen=True, kw_only=True)
class Config(BandConfig):
    low: float = 0.41
    """Less similar captions are dropped (cosine)."""
    high: float = 0.976
    """More similar captions are dropped (cosine)."""
    encoder: str = "minilm"
    """Encoder of texts that the similarity is by, and that low and high are calibrated for."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_default_band(self.encoder, (self.low, self.high))


EXAMPLE = [
    {"text_similarity": 0.1, "drop_reason": "text_too_different"},
    {"text_similarity": 0.99, "drop_reason": "text_too_similar"},
    {"text_similarity": 0.8, "drop_reason": None},
    {"text_similarity": 0.99, "reference_caption": "\u72d7\u5728\u8dd1", "drop_reason": "not_english"},
]


def languages(config: Config) -> tuple[str, ...]:
    return ("en",) if config.encoder == MINILM else ()


def run(config: Config, table: pa.Table) -> pa.Table:
    """Return the table with `drop_reason` "text_too_different" or "text_too_similar" outside the band.

    Captions of another script are "not_english" where the encoder is MiniLM, to which they are all alike.
    """
    if config.encoder == MINILM:
        table = mark_filter_foreign(table)
    return mark_outside_filter_band(config, table, NEEDS, "text")


def explain(config: Config, row: Mapping[str, Any]) -> str:
    if row["drop_reason"] == FOREIGN:
        return f"{MINILM} reads English; take another encoder, such as a multilingual one (docs/data.md)"
    return explain_filter_band(config, row, NEEDS)

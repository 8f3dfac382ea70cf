"""What filters ask of captions and similarities, and say of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.language.normalise import word_counts


@dataclass(frozen=True, kw_only=True)
class BandConfig:
    """A band of cosine similarities that stays."""

    low: float = -1.0
    """What is less similar is dropped."""
    high: float = 1.0
    """What is more similar is dropped."""

    def __post_init__(self) -> None:
        if not -1 <= self.low < self.high <= 1:
            raise ValueError(f"low and high must rise within -1 to 1, got {self.low} and {self.high}.")


def mark_outside_filter_band(band: BandConfig, table: pa.Table, column: str, what: str) -> pa.Table:
    """Return the table with `drop_reason` "<what>_too_different" or "<what>_too_similar" outside the band."""
    similarity = table.column(column)
    table = mark(table, pc.less(similarity, band.low), f"{what}_too_different")
    return mark(table, pc.greater(similarity, band.high), f"{what}_too_similar")


def explain_filter_band(band: BandConfig, row: Mapping[str, Any], column: str) -> str:
    """Return the similarity of a dropped row against the bound it is beyond."""
    value = row[column]
    bound = f"below {band.low}" if value < band.low else f"above {band.high}"
    return f"{column.replace('_', ' ')} {value:.3f} is {bound}"


def filter_caption_lengths(table: pa.Table) -> list[pa.Array]:
    """Return how many words the reference captions have, and the target captions."""
    return [filter_distinct(table.column(f"{side}_caption"), word_counts) for side in ("reference", "target")]


def filter_lengths_text(row: Mapping[str, Any]) -> str:
    """Return how many words the captions of a row have, in words."""
    counts = word_counts(pa.array([row["reference_caption"], row["target_caption"]])).to_pylist()
    return f"{counts[0]} and {counts[1]} words"


def filter_distinct(texts: pa.Array | pa.ChunkedArray, function: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return what the function makes of each text, giving it every distinct one once; pairs repeat their captions."""
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    named = whole.dictionary_encode()
    return function(named.dictionary).take(named.indices)


def filter_similarity_text(row: Mapping[str, Any]) -> str:
    """Return the visual similarity of a row as words after a comma; nothing where it is not known."""
    value = row.get("visual_similarity")
    return "" if value is None else f", this one having visual similarity {value:.3f}"

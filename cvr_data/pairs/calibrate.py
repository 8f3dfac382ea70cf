"""Finds the band of text similarities of an encoder: what pairs that people kept have."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.core.files import read_rows
from cvr_data.features.similarities import text_similarities
from cvr_data.language.words import clean_text

FEWEST = 100
"""Pairs below which a first percentile is that of one pair."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """What is kept of an encoder's cosines."""

    low: float
    high: float
    pairs: int
    """How many it was found on."""


def calibrate_pair_text_band(
    path: Path, encoder: str, columns: tuple[str, str], *, share: float = 0.98, embeddings: Path | None = None
) -> Band:
    """Return the band that holds the middle share of the cosines of kept pairs, rounded outwards to 0.001.

    Args:
        path: a CSV, TSV, JSONL or Parquet file of pairs of captions that people kept.
        encoder: of texts.
        columns: those of the reference's and the target's caption.
        share: of the pairs that the band holds; 0.98 cuts off one percent at each end.
        embeddings: stored features to read captions from, where they are by the encoder.

    Raises:
        CvrError: the file cannot be read, or holds too few pairs.
    """
    rows = [row for rows in read_rows(path, set(columns)) for row in rows if row.drop_reason is None]
    texts = [[row.values[column] for column in columns] for row in rows]
    kept = [[clean_text(text) for text in both] for both in texts if all(isinstance(text, str) for text in both)]
    if len(kept) < FEWEST:
        raise CvrError(f"{path}: {len(kept)} pairs with two captions; a band needs {FEWEST} or more.")
    pairs = pa.table(dict(zip(("reference_caption", "target_caption"), zip(*kept, strict=True), strict=True)))
    cosines: Any = text_similarities(pairs, embeddings, encoder).to_numpy()
    low, high = np.quantile(cosines, [(1 - share) / 2, (1 + share) / 2])
    return Band(low=float(np.floor(low * 1000) / 1000), high=float(np.ceil(high * 1000) / 1000), pairs=len(kept))

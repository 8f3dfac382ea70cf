"""The videos that look most like a target: where further valid targets of a query are found.

Source: CIRCO's several targets per query were found so, among the images nearest to the first (Baldrati et al. 2023,
https://arxiv.org/abs/2303.15247); the nearest of stored features are shown here, of the same split as the query.
"""

# Shapes: N videos, D embedding.

from dataclasses import dataclass
from itertools import compress, islice
from pathlib import Path

import numpy as np
import pyarrow as pa

SHOWN = 12


@dataclass(frozen=True)
class Neighbour:
    """A video and its cosine with the target."""

    video_id: str
    similarity: float


class TargetNeighbours:
    """Pooled features of the videos of each split."""

    def __init__(self, split_of: dict[str, str | None], pooled_ND: np.ndarray):
        self._ids = list(split_of)
        self._row = {video_id: row for row, video_id in enumerate(self._ids)}
        self._split = np.array([split or "" for split in split_of.values()])
        self._pooled_ND = pooled_ND

    @classmethod
    def open(cls, embeddings: Path, videos: pa.Table) -> "TargetNeighbours":
        """Return the neighbours by the raw visual features of a folder; videos without features are left out.

        Raises:
            CvrError: not an embeddings artifact.
        """
        from cvr_data.features.store import FeatureStore  # torch, which a review without neighbours does not need

        store = FeatureStore.open(embeddings, space="raw")
        ids = videos["video_id"].to_pylist()
        split_of = dict(compress(zip(ids, videos["split"].to_pylist(), strict=True), store.has_videos(ids)))
        return cls(split_of, store.pooled(list(split_of)).numpy())

    def of(self, target_id: str, *, leave_out: set[str]) -> list[Neighbour]:
        """Return the nearest videos of the target's split, nearest first; none where its features are not stored."""
        row = self._row.get(target_id)
        if row is None:
            return []
        cosine_N = self._pooled_ND @ self._pooled_ND[row]
        order = np.lexsort((np.arange(len(cosine_N)), -cosine_N))
        hidden = {target_id, *leave_out}
        found = (place for place in order if self._split[place] == self._split[row])
        nearest = (int(place) for place in found if self._ids[place] not in hidden)
        return [Neighbour(self._ids[place], round(float(cosine_N[place]), 4)) for place in islice(nearest, SHOWN)]

"""Groups of six videos that look alike, for queries that are also ranked within their group."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from cvr_data.core.errors import CvrError

SIZE = 6
CHUNK = 512
"""Pairs compared with the whole gallery at once."""

Pair = tuple[str, str]


def visual_groups(
    pairs: Sequence[Pair], gallery: Sequence[str], embeddings: Path, *, banned: Mapping[Pair, set[str]],
) -> dict[Pair, list[str]]:  # fmt: skip
    """Return (reference, target) -> six ids in id order: both, and the four that look most like the two together.

    `banned` are the videos that may not fill up a pair's group: other right answers, and near-duplicates of one.

    Raises:
        CvrError: a video has no features, or the gallery is too small for a group.
    """
    from cvr_data.features.store import FeatureStore

    pooled = FeatureStore.open(embeddings, space="raw").pooled(gallery).numpy()
    place = {video_id: row for row, video_id in enumerate(gallery)}
    in_id_order = np.argsort(np.array(gallery), kind="stable")
    distinct = list(dict.fromkeys(pairs))
    groups = {}
    for start in range(0, len(distinct), CHUNK):
        chunk = distinct[start : start + CHUNK]
        ends = pooled[[place[reference] for reference, _ in chunk]] + pooled[[place[target] for _, target in chunk]]
        scores = (ends @ pooled.T)[:, in_id_order]
        for pair, row in zip(chunk, scores, strict=True):
            # Equal scores are taken in the order of ids, so that the order of the gallery does not matter.
            order = in_id_order[np.argsort(-row, kind="stable")]
            groups[pair] = _group(pair, (gallery[found] for found in order), banned.get(pair, set()))
    return groups


def _group(pair: Pair, nearest_first: Iterable[str], banned: set[str]) -> list[str]:
    members = list(dict.fromkeys(pair))
    for video_id in nearest_first:
        if len(members) == SIZE:
            break
        if video_id not in members and video_id not in banned:
            members.append(video_id)
    if len(members) < SIZE:
        raise CvrError(f"The split has too few videos for a group of {SIZE} around {pair[0]} and {pair[1]}.")
    return sorted(members)

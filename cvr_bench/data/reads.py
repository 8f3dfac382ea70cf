"""What a model reads of videos and texts, as their features say it: how many frames, and how many tokens of a text."""

from typing import Any

from cvr_bench.tasks.task import Task
from cvr_data.features.protocol import Encoder
from cvr_data.features.store import FeatureStore

TEXTS = 1024
"""Encoded at once; they are in memory by then."""


def data_feature_sizes(store: FeatureStore, encoder: Encoder, task: Task) -> dict[str, Any]:
    """Return how many frames the gallery has and how long its texts are, in tokens; how frames were taken if known.

    A text of as many tokens as the longest may have been cut there.
    """
    videos = [item.video.video_id for item in task.gallery if item.video is not None]
    counts = store.frame_counts(videos) if videos else None
    sampler = "as imported" if store.is_imported else store.encoder.get("sampler", "")
    found: dict[str, Any] = {"frames": "none" if counts is None else _span(int(counts.min()), int(counts.max()))}
    found["sampler"] = str(sampler)
    texts = sorted({query.modification for query in task.queries if query.modification}) if encoder.text_dim else []
    lengths = [
        length
        for start in range(0, len(texts), TEXTS)
        for length in encoder.encode_texts(texts[start : start + TEXTS]).mask_BL.sum(dim=1).tolist()
    ]
    if lengths:
        longest = max(lengths)
        found |= {"tokens": _span(min(lengths), longest), "texts_as_long_as_the_longest": lengths.count(longest)}
    return found


def _span(least: int, most: int) -> str:
    return str(most) if least == most else f"{least} to {most}"

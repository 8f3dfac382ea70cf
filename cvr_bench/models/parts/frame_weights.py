"""Gallery videos whose frames are pooled with weights that the benchmark annotates per query.

CoVR's own evaluation pools the frames of a target by the scores of the query it answers: a use of labels, kept apart
from every other protocol. The pooled video enters a model as a video of one frame, so that no model knows of it.

Source: covr/src/data/webvid_covr.py of https://github.com/lucas-ventura/CoVR (`emb_pool=query`), softmax(scores / 0.1).
"""

# Shapes: B videos, T frames, D embedding.

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cvr_bench.tasks.task import Item, Task
from cvr_data.features.protocol import (
    Encoder,
    TextFeatures,
    VideoFeatures,
    pad_features,
    unit_frames_of,
    video_token_features,
)
from cvr_data.media.video import Video

TEMPERATURE = 0.1


@dataclass(frozen=True, kw_only=True)
class PooledVideo(Video):
    """A video as one query pools its frames."""

    query_id: str


def frame_weighted_items(task: Task) -> list[Item]:
    """Return one gallery item per query: its first target, pooled by the weights of that query."""
    names = [(min(task.targets[query.query_id]), query.query_id) for query in task.queries]
    return [Item(query_id, PooledVideo(target, query_id=query_id)) for target, query_id in names]


class FrameWeights:
    """Another encoder; inside `weighted`, videos of `frame_weighted_items` have one frame, the weighted mean."""

    def __init__(self, encoder: Encoder):
        self.encoder = encoder
        self.name, self.runs_on = encoder.name, encoder.runs_on
        self.dim, self.text_dim, self.unit_frames = encoder.dim, encoder.text_dim, unit_frames_of(encoder)
        self._scores: Mapping[str, Sequence[float]] = {}

    @contextmanager
    def weighted(self, frame_scores: Mapping[str, Sequence[float]]) -> Iterator[None]:
        """Pool by these scores (query_id -> one per frame) inside the block."""
        self._scores = frame_scores
        try:
            yield
        finally:
            self._scores = {}

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return what the other encoder gives."""
        return self.encoder.encode_texts(texts)

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return what the other encoder gives, or one pooled frame per video inside `weighted`."""
        return self._pooled(videos, self.encoder.encode_videos)

    def encode_video_tokens(self, videos: Sequence[Video], folder: Path | None) -> VideoFeatures:
        """Return what the other encoder gives, or the tokens of one pooled frame per video inside `weighted`."""
        return self._pooled(videos, lambda named: video_token_features(self.encoder, named, folder))

    def _pooled(self, videos: Sequence[Video], encode: Callable[[Sequence[Video]], VideoFeatures]) -> VideoFeatures:
        pooled = [video for video in videos if isinstance(video, PooledVideo)]
        if not self._scores or len(pooled) < len(videos):
            return encode(videos)
        raw = encode([Video(video.video_id) for video in pooled])
        rows = [
            frame_weighted_mean(raw.frames_BTD[row][raw.mask_BT[row]], self._scores.get(video.query_id, ()))
            for row, video in enumerate(pooled)
        ]
        return VideoFeatures(*pad_features(rows))


def frame_weighted_mean(frames_TD: Tensor, scores: Sequence[float]) -> Tensor:
    """Return (1, D): the frames pooled by softmax(scores / 0.1), or evenly where there is not one score per frame.

    Frames may have tokens, (T, P, D); the result has them too.
    """
    if len(scores) != len(frames_TD):
        return frames_TD.mean(dim=0, keepdim=True)
    weights_T = torch.softmax(torch.tensor(scores, dtype=torch.float64) / TEMPERATURE, dim=0)
    return torch.einsum("t,t...->...", weights_T.to(frames_TD.dtype), frames_TD)[None]

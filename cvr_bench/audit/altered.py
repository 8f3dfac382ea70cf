"""Altered features: an input left out, or the frames of a video in another order, with no change to any model.

encoder = AlteredFeatures(stored)
retriever = load(config, encoder)                                     # any model
blind = audit_with_altered_features(retriever, encoder, Alteration(videos=blank_videos))  # without its reference
"""

# Shapes: B videos or texts, T frames, L tokens, D embedding.

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cvr_bench.models.parts.retriever import DenseRetriever, Retriever
from cvr_bench.tasks.task import Item, Query
from cvr_data.features.protocol import Encoder, TextFeatures, VideoFeatures, unit_frames_of, video_token_features
from cvr_data.media.video import Video
from cvr_data.tables import content_id

VideoChange = Callable[[Sequence[Video], VideoFeatures], VideoFeatures]
TextChange = Callable[[Sequence[str], TextFeatures], TextFeatures]


@dataclass(frozen=True, kw_only=True)
class Alteration:
    """What is done to features on their way to a model."""

    videos: VideoChange | None = None
    texts: TextChange | None = None


class AlteredFeatures:
    """Another encoder; inside `altered_by`, what it gives is altered."""

    def __init__(self, encoder: Encoder):
        self.encoder = encoder
        self.name, self.runs_on = encoder.name, encoder.runs_on
        self.dim, self.text_dim, self.unit_frames = encoder.dim, encoder.text_dim, unit_frames_of(encoder)
        self._alteration = Alteration()

    @contextmanager
    def altered_by(self, alteration: Alteration) -> Iterator[None]:
        """Alter features inside the block."""
        self._alteration = alteration
        try:
            yield
        finally:
            self._alteration = Alteration()

    @property
    def altered(self) -> Alteration:
        """What is done to inputs at the moment."""
        return self._alteration

    def frame_order(self, video: Video, count: int) -> list[int]:
        """Return which of the frames of a video are seen, in which order; none where there is nothing to see."""
        numbers_BTD = torch.arange(1, count + 1, dtype=torch.float32)[None, :, None]
        features = VideoFeatures(numbers_BTD, torch.ones(1, count, dtype=torch.bool))
        if self._alteration.videos is not None:
            features = self._alteration.videos([video], features)
        return [int(number) - 1 for number in features.frames_BTD[features.mask_BT][:, 0] if number]

    def is_read(self, text: str) -> bool:
        """Return whether there is anything to read in a text."""
        one_BL, one_BD = torch.ones(1, 1, dtype=torch.bool), torch.ones(1, 1)
        features = TextFeatures.of(one_BD[:, None], one_BL, one_BD)
        if self._alteration.texts is not None:
            features = self._alteration.texts([text], features)
        return bool(features.pooled_BD.any())

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return what the other encoder gives, altered."""
        features = self.encoder.encode_videos(videos)
        return self._alteration.videos(videos, features) if self._alteration.videos else features

    def encode_video_tokens(self, videos: Sequence[Video], folder: Path | None) -> VideoFeatures:
        """Return what the other encoder gives, altered."""
        features = video_token_features(self.encoder, videos, folder)
        return self._alteration.videos(videos, features) if self._alteration.videos else features

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return what the other encoder gives, altered."""
        features = self.encoder.encode_texts(texts)
        return self._alteration.texts(texts, features) if self._alteration.texts else features


def audit_with_altered_features(
    retriever: Retriever, encoder: AlteredFeatures, alteration: Alteration, *, gallery: bool = False
) -> Retriever:
    """Return the same model, whose queries (and gallery, if asked for) are made of altered features."""
    if not isinstance(retriever, DenseRetriever):
        return _Altered(retriever, encoder, alteration, gallery)

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        with encoder.altered_by(alteration):
            return retriever.encode_queries(queries)

    def encode_videos(videos: Sequence[Video]) -> Tensor:
        with encoder.altered_by(alteration if gallery else Alteration()):
            return retriever.encode_videos(videos)

    return DenseRetriever(encode_queries, encode_videos, encode_texts=retriever.encode_texts, module=retriever.module)


class _Altered:
    """A model that scores by itself, with altered features."""

    def __init__(self, retriever: Retriever, encoder: AlteredFeatures, alteration: Alteration, gallery: bool):
        self.retriever, self.encoder = retriever, encoder
        self.alteration = alteration
        self.of_gallery = alteration if gallery else Alteration()

    def index(self, gallery: Sequence[Item]) -> None:
        """Index the gallery, altered where that was asked for."""
        with self.encoder.altered_by(self.of_gallery):
            self.retriever.index(gallery)

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG of altered queries."""
        with self.encoder.altered_by(self.alteration):
            return self.retriever.score(queries)


def blank_videos(videos: Sequence[Video], features: VideoFeatures) -> VideoFeatures:
    """Return one frame of zeros per video: nothing to see."""
    frames_BTD = features.frames_BTD[:, :1]
    return VideoFeatures(torch.zeros_like(frames_BTD), torch.ones(frames_BTD.shape[:2], dtype=torch.bool))


def blank_texts(those: Set[str]) -> TextChange:
    """Return what leaves of these texts one token of zeros, and a pooled embedding of zeros: nothing to read."""

    def blank(texts: Sequence[str], features: TextFeatures) -> TextFeatures:
        is_kept_B = torch.tensor([text not in those for text in texts], dtype=torch.bool)
        is_first_L = torch.arange(features.mask_BL.shape[1]) == 0
        return TextFeatures(
            torch.where(is_kept_B[:, None, None], features.tokens_BLD, 0.0),
            torch.where(is_kept_B[:, None], features.mask_BL, is_first_L),
            torch.where(is_kept_B[:, None], features.pooled_BD, 0.0),
            torch.where(is_kept_B, features.length_B, 0.0),
        )

    return blank


def audit_middle_frame_alone(videos: Sequence[Video], features: VideoFeatures) -> VideoFeatures:
    """Return the frame in the middle of each video; of an even number, the later of the two."""
    middle_B1 = features.mask_BT.sum(dim=1, keepdim=True) // 2
    return _take(features, middle_B1)


def reversed_frames(videos: Sequence[Video], features: VideoFeatures) -> VideoFeatures:
    """Return the frames of each video from last to first."""
    lengths_B1 = features.mask_BT.sum(dim=1, keepdim=True)
    places_T = torch.arange(features.mask_BT.shape[1])
    return _take(features, torch.where(features.mask_BT, lengths_B1 - 1 - places_T, places_T))


def shuffled_frames(seed: int) -> VideoChange:
    """Return what shuffles the frames of each video; the same video is shuffled the same way wherever it stands."""

    def shuffle(videos: Sequence[Video], features: VideoFeatures) -> VideoFeatures:
        order_BT = torch.arange(features.mask_BT.shape[1]).repeat(len(videos), 1)
        for row, (video, length) in enumerate(zip(videos, features.mask_BT.sum(dim=1).tolist(), strict=True)):
            order_BT[row, :length] = _shuffled_order(video.video_id, length, seed)
        return _take(features, order_BT)

    return shuffle


def _shuffled_order(video_id: str, length: int, seed: int) -> Tensor:
    """An order drawn from the video's id; never the one it has, where there is another."""
    generator = np.random.default_rng(int(content_id(str(seed), video_id), 16))
    order = generator.permutation(length)
    while length > 1 and (order == np.arange(length)).all():
        order = generator.permutation(length)
    return torch.from_numpy(order)


def _take(features: VideoFeatures, order_BS: Tensor) -> VideoFeatures:
    rows_B1 = torch.arange(len(order_BS))[:, None]
    return VideoFeatures(features.frames_BTD[rows_B1, order_BS], features.mask_BT[rows_B1, order_BS])

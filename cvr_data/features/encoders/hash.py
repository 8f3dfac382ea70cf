"""Thumbnails and words through fixed random projections, for tests: no weights, and no media where there is none.

Videos of equal thumbnails and texts of equal words get equal embeddings; a video without a file gets thumbnails drawn
from its id. Both lie in one space, in which they have nothing to do with each other.
"""

# Shapes: N frames, B videos or texts, T frames, L tokens, D embedding.

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_data.features.protocol import TextFeatures, VideoFeatures, pad_features
from cvr_data.media.video import Video, read_frames

SIDE = 4


@dataclass(frozen=True, kw_only=True)
class Config:
    dim: int = 64
    """Width of the space."""
    frames: int = 4
    """Frames per video, at most; a video without a file has one to this many."""
    seed: int = 0
    """Of the projection and of every word."""

    def __post_init__(self) -> None:
        if self.dim < 1 or self.frames < 1:
            raise ValueError(f"dim and frames must be at least 1, got {self.dim} and {self.frames}.")


TINY = Config(dim=8, frames=2)


def load(config: Config) -> "HashEncoder":
    return HashEncoder(config)


class HashEncoder:
    """Videos and texts -> random but repeatable embeddings."""

    name = "hash"
    runs_on = "cpu float32"

    def __init__(self, config: Config):
        self.config = config
        self.dim = self.text_dim = self.frame_dim = config.dim
        self.projection = _draw(f"projection {config.seed}").normal(size=(SIDE * SIDE * 3, config.dim))

    def read_video(self, video: Video) -> np.ndarray:
        """Return thumbnails, uint8 (T, 4, 4, 3): of the file if there is one, else drawn from the id."""
        if video.path is not None:
            return read_frames(video.clip, self.config.frames, size=SIDE)
        draw = _draw(f"video {self.config.seed} {video.video_id}")
        count = int(draw.integers(1, self.config.frames + 1))
        return draw.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)

    def encode_frames(self, frames: np.ndarray) -> Tensor:
        """Return (frames, D) float32, unit length."""
        pixels = frames.reshape(len(frames), SIDE * SIDE * 3) / 255 - 0.5
        return F.normalize(torch.from_numpy(pixels @ self.projection).float(), dim=-1)

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return one embedding per thumbnail."""
        return VideoFeatures(*pad_features([self.encode_frames(self.read_video(video)) for video in videos]))

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return one embedding per word, and their mean; a text without words is one token of its own."""
        tokens = [torch.stack([self._word(word) for word in text.lower().split() or [""]]) for text in texts]
        tokens_BLD, mask_BL = pad_features(tokens)
        pooled_BD = torch.stack([token_LD.mean(dim=0) for token_LD in tokens])
        return TextFeatures.of(tokens_BLD, mask_BL, pooled_BD)

    def _word(self, word: str) -> Tensor:
        vector = _draw(f"word {self.config.seed} {word}").normal(size=self.config.dim)
        return F.normalize(torch.from_numpy(vector).float(), dim=0)


def _draw(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8]))

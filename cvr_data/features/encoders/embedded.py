"""The default, no download: frames by EfficientNet-Lite0, texts by MiniLM, joined by two fitted heads.

Without heads the features are raw (1280-d frames, 384-d texts: two spaces), which is what `cvr embed` stores;
`cvr fit-heads` then learns the heads that bring both into one space.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from torch import Tensor

from cvr_data.core.device import DeviceName
from cvr_data.core.ranges import SIZE, option_range
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.encoders.networks.options import Frames, Products
from cvr_data.features.heads import Heads, load_heads
from cvr_data.features.protocol import FrameTokenEncoder, TextFeatures, VideoFeatures
from cvr_data.media.video import Video


@dataclass(frozen=True, kw_only=True)
class Config(Frames, Products):
    size: int = field(default=224, metadata=option_range(SIZE))
    """Side of the square a frame is squeezed to, in pixels."""
    heads: Path | None = None
    """A folder written by `cvr fit-heads`; None gives the raw features of both networks."""
    device: DeviceName = field(default="auto", metadata={"output": False})
    """Where the networks run; auto is the GPU where there is one."""


def load(config: Config) -> "EmbeddedEncoder":
    """Return the encoder; the weights of each network are read when it is first needed."""
    return EmbeddedEncoder(config)


class EmbeddedEncoder:
    """Videos and texts -> embeddings of two packaged networks."""

    name = "embedded"

    def __init__(self, config: Config):
        device = {"dtype": config.dtype, "device": config.device}
        frames = {"frames": str(config.frames), "sampler": config.sampler, "size": str(config.size)}
        videos, texts = ENCODERS.get("efficientnet-lite0"), ENCODERS.get("minilm")
        self.videos = cast(FrameTokenEncoder, videos.load(ENCODERS.config("efficientnet-lite0", {**frames, **device})))
        self.texts = texts.load(ENCODERS.config("minilm", device))
        self.config = config
        self.runs_on = self.videos.runs_on
        self.dim = self.frame_dim = self.heads.dim if self.heads else self.videos.dim
        self.frame_token_dim = self.dim
        self.text_dim = self.heads.dim if self.heads else self.texts.text_dim

    @cached_property
    def heads(self) -> Heads | None:
        """The heads, or None for raw features."""
        return load_heads(self.config.heads) if self.config.heads else None

    def read_video(self, video: Video) -> np.ndarray:
        """Return the sampled frames, uint8 (T, size, size, 3)."""
        return self.videos.read_video(video)

    def encode_frames(self, frames: np.ndarray) -> Tensor:
        """Return (frames, D) float32."""
        rows_ND = self.videos.encode_frames(frames)
        return self.heads.frames(rows_ND) if self.heads else rows_ND

    def encode_frame_tokens(self, frames: np.ndarray) -> Tensor:
        """Return (frames, 4, D) float32: the quarters of each frame."""
        tokens_NPD = self.videos.encode_frame_tokens(frames)
        return self.heads.frames(tokens_NPD) if self.heads else tokens_NPD

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return one embedding per sampled frame."""
        features = self.videos.encode_videos(videos)
        return self.heads.videos(features) if self.heads else features

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return one embedding per token and per text."""
        features = self.texts.encode_texts(texts)
        return self.heads.texts(features) if self.heads else features

"""Video frames by EfficientNet-Lite0, an ImageNet network whose weights come as a package; no texts.

Each sampled frame is squeezed to a square, so that nothing at its sides is lost, and becomes 1280 numbers (the last
feature map averaged over its places). The network runs in batches of 16 frames, channels last.
"""

# Shapes: N frames, C channels, H height, W width, B videos, T frames, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from cvr_data.core.errors import CvrError
from cvr_data.core.model_packages import model_path
from cvr_data.features.device import map_batches
from cvr_data.features.encoders.networks.efficientnet_lite import FEATURES, EfficientNetLite0, load_released
from cvr_data.features.encoders.networks.options import Frames, OnDevice, Products
from cvr_data.features.protocol import TextFeatures, VideoFeatures, by_frames
from cvr_data.media.video import Video, read_frames

MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
BATCH = 16
"""Frames per batch: fastest on a CPU, and what fixes the rounding of bfloat16."""
SCALE = (0.229 * 255, 0.224 * 255, 0.225 * 255)


@dataclass(frozen=True, kw_only=True)
class Config(Frames, Products):
    size: int = 224
    """Side of the square a frame is squeezed to, in pixels; 224 is what the network was trained on."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.size < 32:
            raise ValueError(f"frames must be at least 1 and size at least 32, got {self.frames} and {self.size}.")


TINY = Config(frames=2, size=32)


def load(config: Config) -> "EfficientNetLite0Encoder":
    """Return the encoder; its weights are read when the first frame comes."""
    return EfficientNetLite0Encoder(config)


class EfficientNetLite0Encoder(OnDevice):
    """Videos -> one 1280-d embedding per sampled frame."""

    name = "efficientnet-lite0"
    dim = frame_dim = FEATURES
    text_dim = 0

    def __init__(self, config: Config):
        self.config = config
        super().__init__(config)

    def read_video(self, video: Video) -> np.ndarray:
        """Return the sampled frames, uint8 (T, size, size, 3).

        Raises:
            UnreadableVideo: no path, or a file that gives no frame.
        """
        return read_frames(video.clip, self.config.frames, self.config.sampler, self.config.size)

    def encode_frames(self, frames: np.ndarray) -> Tensor:
        """Return (frames, 1280) float32 of uint8 frames (N, H, W, 3)."""
        images_NHWC = torch.from_numpy(frames)
        if not len(frames):
            return torch.empty(0, FEATURES)
        network = self._network  # read before threads ask for it at once
        return torch.cat(
            map_batches(lambda batch: self._encode_batch(network, batch), images_NHWC.split(BATCH), self.device)
        )

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return one embedding per sampled frame."""
        return by_frames(self, videos)

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Refuse: this network knows no text."""
        raise CvrError("efficientnet-lite0 encodes videos only; the encoder 'embedded' takes texts too.")

    @torch.no_grad()
    def _encode_batch(self, network: EfficientNetLite0, images_NHWC: Tensor) -> Tensor:
        # This view of NHWC pixels is what torch calls channels_last, so nothing is copied.
        pixels_NCHW = images_NHWC.permute(0, 3, 1, 2).to(self.device, torch.float32)
        mean, scale = (torch.tensor(values, device=self.device).view(3, 1, 1) for values in (MEAN, SCALE))
        with self.autocast():
            return network((pixels_NCHW - mean) / scale).float().cpu()

    @cached_property
    def _network(self) -> EfficientNetLite0:
        network = load_released(str(model_path("efficientnet-lite0"))).to(self.device)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

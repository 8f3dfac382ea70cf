"""What every image-text network shares once it is loaded: reading, batching over frames of several videos, padding."""

# Shapes: N frames, C channels, H height, W width, P places in a frame, B texts, L tokens, D embedding.

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_data.core.device import map_torch_batches
from cvr_data.features.encoders.networks.checkpoints import (
    Padding,
    encoder_preprocessing,
    load_encoder_network,
    load_encoder_tokenizer,
    tokenize_for_encoder,
)
from cvr_data.features.encoders.networks.clean_caption import clean_text_for_encoder
from cvr_data.features.encoders.networks.images import Preprocessing, image_preprocessing
from cvr_data.features.encoders.networks.options import OnDevice, TwoTowers
from cvr_data.features.protocol import TextFeatures, VideoFeatures, empty_text_features, encode_by_frames, pad_features
from cvr_data.media.video import Video


class Towers(Protocol):
    """The two networks of a model; all tensors in and out lie on their device."""

    preprocessing: Preprocessing
    network: Any
    """A torch module."""
    dim: int
    """Width of frame, token and text features."""
    frame_token_dim: int

    def images(self, pixels_NCHW: Tensor) -> Tensor:
        """Return (N, dim), not normalised."""

    def image_tokens(self, pixels_NCHW: Tensor) -> Tensor:
        """Return (N, P, frame_token_dim)."""

    def tokenize(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return (ids_BL, mask_BL): the mask is False where a token is padding."""

    def texts(self, ids_BL: Tensor, mask_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Return (tokens_BLD, pooled_BD), both `dim` wide."""

    def to(self, device: torch.device) -> None:
        """Move the networks."""


class HubTowers:
    """A model of transformers and its tokenizer; where a checkpoint does not say, `defaults` prepare its frames."""

    length: int
    """Tokens that longer texts are cut to."""
    clean = False
    """Whether texts are cleaned as BLIP and CoVR clean them."""
    padding: Padding = "longest"

    def __init__(self, kind: str, model: str, **defaults: Any):
        self.network = load_encoder_network(kind, model)
        vision = self.network.config.vision_config
        preprocessing = Preprocessing(size=vision.image_size, **defaults)
        self.preprocessing = image_preprocessing(encoder_preprocessing(model), preprocessing, model)
        self.frame_token_dim: int = vision.hidden_size
        self.tokenizer = load_encoder_tokenizer(model)

    def tokenize(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return (ids_BL, mask_BL)."""
        cleaned = [clean_text_for_encoder(text) for text in texts] if self.clean else texts
        return tokenize_for_encoder(self.tokenizer, cleaned, self.length, self.padding)

    def to(self, device: torch.device) -> None:
        """Move the network."""
        self.network.to(device)


def end_token_features(tokens_BLD: Tensor, mask_BL: Tensor) -> Tensor:
    """Return the last token of each text that is no padding, (B, D)."""
    ends_B = mask_BL.sum(dim=1) - 1
    return tokens_BLD[torch.arange(len(ends_B), device=ends_B.device), ends_B]


class TwoTowerEncoder(OnDevice):
    """Videos and texts -> features of one image-text model."""

    def __init__(self, name: str, towers: Towers, config: TwoTowers):
        self.name = name
        self.towers = towers
        self.config = config
        self.dim = self.frame_dim = self.text_dim = towers.dim
        self.frame_token_dim = towers.frame_token_dim
        super().__init__(config)
        towers.to(self.device)

    def weights_sha256(self) -> str:
        """Return a hash of all weights, whatever file they came from."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.towers.network.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
            digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def read_video(self, video: Video) -> np.ndarray:
        """Return the sampled frames as the network wants them, uint8 (T, size, size, 3).

        Raises:
            UnreadableVideo: no path, or a file that gives no frame.
        """
        return self.towers.preprocessing.read_video(video, self.config.frames, self.config.sampler)

    def encode_frames(self, frames: np.ndarray) -> Tensor:
        """Return (frames, D) float32 of uint8 frames from `read_video`."""
        if not len(frames):
            return torch.empty(0, self.dim)
        features_ND = self._run_images(self.towers.images, frames)
        return F.normalize(features_ND, dim=-1) if self.config.normalise else features_ND

    def encode_frame_tokens(self, frames: np.ndarray) -> Tensor:
        """Return (frames, P, frame_token_dim) float32."""
        if not len(frames):
            return torch.empty(0, 0, self.frame_token_dim)
        return self._run_images(self.towers.image_tokens, frames)

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return one embedding per sampled frame."""
        return encode_by_frames(self, videos)

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return one embedding per token, as projected, and one unit-length embedding per text."""
        if not texts:
            return empty_text_features(self.dim)
        size = self.config.batch_size
        # a tokenizer keeps how it pads and cuts in itself, so threads must not share it
        batches = [self.towers.tokenize(texts[start : start + size]) for start in range(0, len(texts), size)]
        encoded = map_torch_batches(self._encode_texts, batches, self.device)
        tokens_BLD, mask_BL = pad_features([row_LD for rows, _ in encoded for row_LD in rows])
        return TextFeatures.of(tokens_BLD, mask_BL, torch.cat([pooled for _, pooled in encoded]))

    def _run_images(self, run: Callable[[Tensor], Tensor], frames: np.ndarray) -> Tensor:
        def encode(batch_NHWC: Tensor) -> Tensor:
            with torch.no_grad(), self.autocast():
                return run(self.towers.preprocessing.pixels(batch_NHWC, self.device)).float().cpu()

        batches = torch.from_numpy(frames).split(self.config.batch_size)
        return torch.cat(map_torch_batches(encode, batches, self.device))

    def _encode_texts(self, tokenized: tuple[Tensor, Tensor]) -> tuple[list[Tensor], Tensor]:
        ids_BL, mask_BL = tokenized
        with torch.no_grad(), self.autocast():
            tokens_BLD, pooled_BD = self.towers.texts(ids_BL.to(self.device), mask_BL.to(self.device))
        rows = [row_LD[mask_L] for row_LD, mask_L in zip(tokens_BLD.float().cpu(), mask_BL, strict=True)]
        return rows, pooled_BD.float().cpu()

"""Frames and texts by a CLIP of the transformers library, by hub id or folder.

    cvr embed videos --encoder clip -o model=openai/clip-vit-base-patch32
    cvr embed videos --encoder clip -o model=FOLDER          # saved with save_pretrained; nothing is downloaded

Frame features are the projected class token; text tokens are the projected states from the start to the end token, and
the last one is the text's own feature. Frames are prepared as the checkpoint's preprocessor_config.json says, without
torchvision.

Source: Radford et al., ICML 2021 (https://arxiv.org/abs/2103.00020).
"""

# Shapes: N frames, C channels, H height, W width, P places in a frame, B texts, L tokens, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from cvr_data.features.device import DeviceName, DtypeName
from cvr_data.features.encoders.networks.checkpoints import (
    load_hub_tokenizer,
    load_model,
    published_preprocessing,
    tokenize,
)
from cvr_data.features.encoders.networks.images import Preprocessing, preprocessing_of
from cvr_data.features.encoders.networks.two_towers import Running, TwoTowerEncoder


@dataclass(frozen=True, kw_only=True)
class Config:
    model: str
    """A folder saved with save_pretrained, or an id on the hub."""
    frames: int = 8
    """Frames decoded per video, at most."""
    sampler: str = "uniform"
    """Which frames: uniform (the middle of equal segments), middle, first or per-second."""
    normalise: bool = True
    """Frame features to unit length; false leaves them as projected."""
    batch_size: int = field(default=16, metadata={"output": False})
    """Frames or texts that go through the network at once."""
    dtype: DtypeName = field(default="auto", metadata={"output": False})
    """Type of the products; auto is bfloat16 where the hardware has it. The manifest records what was used."""
    device: DeviceName = field(default="auto", metadata={"output": False})
    """Where the network runs; auto is the GPU where there is one."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.batch_size < 1:
            raise ValueError(f"frames and batch_size must be at least 1, got {self.frames} and {self.batch_size}.")


def load(config: Config) -> TwoTowerEncoder:
    """Return the encoder.

    Raises:
        CvrError: the checkpoint is missing, cannot be reached, or holds another model's weights.
    """
    running = Running(
        frames=config.frames,
        sampler=config.sampler,
        normalise=config.normalise,
        batch_size=config.batch_size,
        dtype=config.dtype,
        device=config.device,
    )
    return TwoTowerEncoder("clip", ClipTowers(config.model), running)


class ClipTowers:
    """The network and its tokenizer."""

    def __init__(self, model: str):
        self.network = load_model("CLIPModel", model)
        settings = self.network.config
        defaults = Preprocessing(size=settings.vision_config.image_size, fit="crop")
        self.preprocessing = preprocessing_of(published_preprocessing(model), defaults, model)
        self.dim = settings.projection_dim
        self.frame_token_dim = settings.vision_config.hidden_size
        self.tokenizer = load_hub_tokenizer(model)
        self.length = settings.text_config.max_position_embeddings

    def images(self, pixels_NCHW: Tensor) -> Tensor:
        """Return features_ND."""
        return self.network.visual_projection(self.image_tokens(pixels_NCHW)[:, 0])

    def image_tokens(self, pixels_NCHW: Tensor) -> Tensor:
        """Return all tokens after the last normalisation, the class token first."""
        vision = self.network.vision_model
        return vision.post_layernorm(vision(pixel_values=pixels_NCHW).last_hidden_state)

    def tokenize(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return (ids_BL, mask_BL)."""
        return tokenize(self.tokenizer, texts, self.length)

    def texts(self, ids_BL: Tensor, mask_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Return projected tokens_BLD, and the end token's as pooled_BD."""
        states_BLD = self.network.text_model(input_ids=ids_BL, attention_mask=mask_BL.long()).last_hidden_state
        tokens_BLD = self.network.text_projection(states_BLD)
        ends_B = mask_BL.sum(dim=1) - 1
        return tokens_BLD, tokens_BLD[torch.arange(len(ends_B), device=ends_B.device), ends_B]

    def to(self, device: torch.device) -> None:
        """Move the network."""
        self.network.to(device)

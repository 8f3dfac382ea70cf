"""Frames and texts by a BLIP retrieval model (CoVR's is the large one, COCO) of transformers, by hub id or folder.

    cvr embed videos --encoder blip -o model=Salesforce/blip-itm-large-coco

A frame is squeezed to a square (384 for that model) and becomes 256 numbers of unit length: the projected class token,
as in CoVR's files. `--all-tokens` gives every state of the vision network, 577 x 1024 there. Texts are cleaned as BLIP
and CoVR clean them; text tokens are projected states, and the first one ([CLS]) is the text's own feature.

Source: Li et al., ICML 2022 (https://arxiv.org/abs/2201.12086); Ventura et al., AAAI 2024
(https://arxiv.org/abs/2308.14746).
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
from cvr_data.features.encoders.networks.clean_caption import clean_caption
from cvr_data.features.encoders.networks.images import Preprocessing, preprocessing_of
from cvr_data.features.encoders.networks.two_towers import Running, TwoTowerEncoder


@dataclass(frozen=True, kw_only=True)
class Config:
    model: str
    """A folder saved with save_pretrained, or an id on the hub."""
    clean: bool = True
    """Lower-case texts and leave out most punctuation, at most 30 words: what BLIP was trained on."""
    max_tokens: int = 30
    """Longer texts are cut; 30 is CoVR's."""
    frames: int = 15
    """Frames decoded per video, at most; 15 is CoVR's."""
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
    return TwoTowerEncoder("blip", BlipTowers(config.model, clean=config.clean, max_tokens=config.max_tokens), running)


class BlipTowers:
    """The network and its tokenizer."""

    def __init__(self, model: str, *, clean: bool, max_tokens: int):
        self.network = load_model("BlipForImageTextRetrieval", model)
        settings = self.network.config
        defaults = Preprocessing(size=settings.vision_config.image_size, fit="square")
        self.preprocessing = preprocessing_of(published_preprocessing(model), defaults, model)
        self.dim = settings.image_text_hidden_size
        self.frame_token_dim = settings.vision_config.hidden_size
        self.tokenizer = load_hub_tokenizer(model)
        self.clean = clean
        self.max_tokens = max_tokens

    def images(self, pixels_NCHW: Tensor) -> Tensor:
        """Return features_ND."""
        return self.network.vision_proj(self.image_tokens(pixels_NCHW)[:, 0])

    def image_tokens(self, pixels_NCHW: Tensor) -> Tensor:
        """Return all tokens after the last normalisation, the class token first."""
        return self.network.vision_model(pixel_values=pixels_NCHW).last_hidden_state

    def tokenize(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return (ids_BL, mask_BL)."""
        cleaned = [clean_caption(text) for text in texts] if self.clean else texts
        return tokenize(self.tokenizer, cleaned, self.max_tokens)

    def texts(self, ids_BL: Tensor, mask_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Return projected tokens_BLD, and the first one's as pooled_BD."""
        states = self.network.text_encoder(input_ids=ids_BL, attention_mask=mask_BL.long())
        tokens_BLD = self.network.text_proj(states.last_hidden_state)
        return tokens_BLD, tokens_BLD[:, 0]

    def to(self, device: torch.device) -> None:
        """Move the network."""
        self.network.to(device)

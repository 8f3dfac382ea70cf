"""Frames and texts by a BLIP retrieval model (CoVR's is the large one, COCO) of transformers, by hub id or folder.

    cvr embed videos --encoder blip -o model=Salesforce/blip-itm-large-coco

A frame is squeezed to a square (384 for that model) and becomes 256 numbers of unit length: the projected class token,
as in CoVR's files. `--all-tokens` gives every state of the vision network, 577 x 1024 there. Texts are cleaned as BLIP
and CoVR clean them; text tokens are projected states, and the first one ([CLS]) is the text's own feature.

Source: Li et al., ICML 2022 (https://arxiv.org/abs/2201.12086); Ventura et al., AAAI 2024
(https://arxiv.org/abs/2308.14746).
"""

# Shapes: N frames, C channels, H height, W width, P places in a frame, B texts, L tokens, D embedding.

from dataclasses import dataclass, field

from torch import Tensor

from cvr_data.core.ranges import option_range
from cvr_data.features.encoders.networks.options import TwoTowers
from cvr_data.features.encoders.networks.two_towers import HubTowers, TwoTowerEncoder


@dataclass(frozen=True, kw_only=True)
class Config(TwoTowers):
    clean: bool = True
    """Lower-case texts and leave out most punctuation, at most 30 words: what BLIP was trained on."""
    max_tokens: int = field(default=30, metadata=option_range("[3, inf)"))
    """Longer texts are cut; 30 is CoVR's."""
    frames: int = 15
    """Frames decoded per video, at most; 15 is CoVR's."""


def load(config: Config) -> TwoTowerEncoder:
    return TwoTowerEncoder("blip", BlipTowers(config), config)


class BlipTowers(HubTowers):
    """The network and its tokenizer."""

    def __init__(self, config: Config):
        super().__init__("BlipForImageTextRetrieval", config.model, fit="square")
        self.dim = self.network.config.image_text_hidden_size
        self.clean, self.length = config.clean, config.max_tokens

    def images(self, pixels_NCHW: Tensor) -> Tensor:
        """Return features_ND."""
        return self.network.vision_proj(self.image_tokens(pixels_NCHW)[:, 0])

    def image_tokens(self, pixels_NCHW: Tensor) -> Tensor:
        """Return all tokens after the last normalisation, the class token first."""
        return self.network.vision_model(pixel_values=pixels_NCHW).last_hidden_state

    def texts(self, ids_BL: Tensor, mask_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Return projected tokens_BLD, and the first one's as pooled_BD."""
        states = self.network.text_encoder(input_ids=ids_BL, attention_mask=mask_BL.long())
        tokens_BLD = self.network.text_proj(states.last_hidden_state)
        return tokens_BLD, tokens_BLD[:, 0]

"""Frames and texts by a SigLIP (1 or 2, fixed resolution) of the transformers library, by hub id or folder.

    cvr embed videos --encoder siglip -o model=google/siglip-base-patch16-224

Frame features come from the attention pooling head. Texts are padded to the length the model was trained with, and all
places are seen, as in training; the text's feature is that of the last place, and the mask of its tokens leaves the
padding out.

Source: Zhai et al., ICCV 2023 (https://arxiv.org/abs/2303.15343).
"""

# Shapes: N frames, C channels, H height, W width, P places in a frame, B texts, L tokens, D embedding.

from dataclasses import dataclass

from torch import Tensor

from cvr_data.features.encoders.networks.images import HALF
from cvr_data.features.encoders.networks.options import TwoTowers
from cvr_data.features.encoders.networks.two_towers import HubTowers, TwoTowerEncoder


@dataclass(frozen=True, kw_only=True)
class Config(TwoTowers):
    pass


def load(config: Config) -> TwoTowerEncoder:
    return TwoTowerEncoder("siglip", SiglipTowers(config.model), config)


class SiglipTowers(HubTowers):
    """The network and its tokenizer; texts are padded to the length the model was trained with."""

    padding = "max_length"

    def __init__(self, model: str):
        super().__init__("SiglipModel", model, fit="square", mean=HALF, std=HALF)
        self.dim = self.frame_token_dim
        self.length = self.network.config.text_config.max_position_embeddings

    def images(self, pixels_NCHW: Tensor) -> Tensor:
        """Return features_ND."""
        return self.network.vision_model(pixel_values=pixels_NCHW).pooler_output

    def image_tokens(self, pixels_NCHW: Tensor) -> Tensor:
        """Return the tokens of all patches after the last normalisation; there is no class token."""
        return self.network.vision_model(pixel_values=pixels_NCHW).last_hidden_state

    def texts(self, ids_BL: Tensor, mask_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Return projected tokens_BLD, and the last place's as pooled_BD."""
        states_BLD = self.network.text_model(input_ids=ids_BL).last_hidden_state
        tokens_BLD = self.network.text_model.head(states_BLD)
        return tokens_BLD, tokens_BLD[:, -1]

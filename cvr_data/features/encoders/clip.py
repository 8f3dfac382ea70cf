"""Frames and texts by a CLIP of the transformers library, by hub id or folder.

    cvr embed videos --encoder clip -o model=openai/clip-vit-base-patch32
    cvr embed videos --encoder clip -o model=FOLDER          # saved with save_pretrained; nothing is downloaded

Frame features are the projected class token; text tokens are the projected states from the start to the end token, and
the last one is the text's own feature. Frames are prepared as the checkpoint's preprocessor_config.json says, without
torchvision.

Source: Radford et al., ICML 2021 (https://arxiv.org/abs/2103.00020).
"""

# Shapes: N frames, C channels, H height, W width, P places in a frame, B texts, L tokens, D embedding.

from dataclasses import dataclass

from torch import Tensor

from cvr_data.features.encoders.networks.options import TwoTowers
from cvr_data.features.encoders.networks.two_towers import HubTowers, TwoTowerEncoder, end_token_features


@dataclass(frozen=True, kw_only=True)
class Config(TwoTowers):
    pass


def load(config: Config) -> TwoTowerEncoder:
    return TwoTowerEncoder("clip", ClipTowers(config.model), config)


class ClipTowers(HubTowers):
    """The network and its tokenizer."""

    def __init__(self, model: str):
        super().__init__("CLIPModel", model, fit="crop")
        self.dim = self.network.config.projection_dim
        self.length = self.network.config.text_config.max_position_embeddings

    def images(self, pixels_NCHW: Tensor) -> Tensor:
        """Return features_ND."""
        return self.network.visual_projection(self.image_tokens(pixels_NCHW)[:, 0])

    def image_tokens(self, pixels_NCHW: Tensor) -> Tensor:
        """Return all tokens after the last normalisation, the class token first."""
        vision = self.network.vision_model
        return vision.post_layernorm(vision(pixel_values=pixels_NCHW).last_hidden_state)

    def texts(self, ids_BL: Tensor, mask_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Return projected tokens_BLD, and the end token's as pooled_BD."""
        states_BLD = self.network.text_model(input_ids=ids_BL, attention_mask=mask_BL.long()).last_hidden_state
        tokens_BLD = self.network.text_projection(states_BLD)
        return tokens_BLD, end_token_features(tokens_BLD, mask_BL)

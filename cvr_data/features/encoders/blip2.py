"""Frames and texts by a BLIP-2 retrieval model (the Q-Former CoVR-2 uses) of transformers, by hub id or folder.

    cvr embed videos --encoder blip2 -o model=Salesforce/blip2-itm-vit-g-coco

The Q-Former turns a frame into 32 tokens of 256 numbers, each of unit length: `--all-tokens` gives these, as in
CoVR-2's files; with `tokens=vision` it gives what the Q-Former looks at instead, which the query of covr-blip2 needs
of its reference's middle frame (`-o tokens=vision -o sampler=middle -o frames=1`); with `tokens=states` that before
the norm, which retrack trains, and of frames that are padded, not squeezed (`-o fit=padded`). The one feature of a
frame is the mean of the 32 (of unit length unless `normalise=false`, which is CoVR-2's mean). Texts go through the same
Q-Former; tokens are projected states, and the first one ([CLS]) is the text's own feature.

Source: Li et al., ICML 2023 (https://arxiv.org/abs/2301.12597); Ventura et al., TPAMI 2024
(https://arxiv.org/abs/2308.14746v3).
"""

# Shapes: N frames, C channels, H height, W width, P query tokens, B texts, L tokens, D embedding.

from dataclasses import dataclass, field, replace
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from cvr_data.core.ranges import option_range
from cvr_data.features.encoders.networks.options import TwoTowers
from cvr_data.features.encoders.networks.two_towers import HubTowers, TwoTowerEncoder


@dataclass(frozen=True, kw_only=True)
class Config(TwoTowers):
    clean: bool = True
    """Lower-case texts and leave out most punctuation, at most 30 words, as CoVR does."""
    max_tokens: int = field(default=32, metadata=option_range("[3, inf)"))
    """Longer texts are cut; 32 is what the model was trained with."""
    frames: int = 15
    """Frames decoded per video, at most; 15 is CoVR's."""
    tokens: Literal["queries", "vision", "states"] = "queries"
    """What --all-tokens stores of a frame: the projected query tokens, all tokens of the vision network, or these
    before its last norm."""
    fit: Literal["square", "padded"] = "square"
    """How a frame becomes a square: squeezed, or as for ReTrack: black bars up to a ratio of 1.25, then the middle."""


def load(config: Config) -> TwoTowerEncoder:
    return TwoTowerEncoder("blip2", Blip2Towers(config), config)


class Blip2Towers(HubTowers):
    """The network and its tokenizer."""

    def __init__(self, config: Config):
        super().__init__("Blip2ForImageTextRetrieval", config.model, fit="square")
        if config.fit == "padded":
            self.preprocessing = replace(self.preprocessing, fit="padded", crop_rounds=True)
        self.dim = self.network.config.image_text_hidden_size
        self.clean, self.length = config.clean, config.max_tokens
        self.tokens = config.tokens
        if config.tokens == "queries":
            self.frame_token_dim = self.dim

    def images(self, pixels_NCHW: Tensor) -> Tensor:
        """Return features_ND: the mean of the query tokens."""
        return self._query_tokens(self._vision(pixels_NCHW)).mean(dim=1)

    def image_tokens(self, pixels_NCHW: Tensor) -> Tensor:
        """Return the projected query tokens, each of unit length, or all tokens of the vision network."""
        if self.tokens == "states":
            vision = self.network.vision_model
            return vision.encoder(inputs_embeds=vision.embeddings(pixels_NCHW)).last_hidden_state
        states_NPD = self._vision(pixels_NCHW)
        return states_NPD if self.tokens == "vision" else self._query_tokens(states_NPD)

    def _vision(self, pixels_NCHW: Tensor) -> Tensor:
        return self.network.vision_model(pixel_values=pixels_NCHW).last_hidden_state

    def _query_tokens(self, states_NPD: Tensor) -> Tensor:
        queries = self.network.query_tokens.expand(len(states_NPD), -1, -1)
        attended = self.network.qformer(query_embeds=queries, encoder_hidden_states=states_NPD).last_hidden_state
        return F.normalize(self.network.vision_projection(attended), dim=-1)

    def texts(self, ids_BL: Tensor, mask_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Return projected tokens_BLD, and the first one's as pooled_BD."""
        network = self.network
        words_BLD = network.embeddings(input_ids=ids_BL)
        states = network.qformer(query_embeds=words_BLD, query_length=0, attention_mask=mask_BL.long())
        tokens_BLD = network.text_projection(states.last_hidden_state)
        return tokens_BLD, tokens_BLD[:, 0]

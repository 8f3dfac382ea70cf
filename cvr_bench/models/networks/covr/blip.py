"""BLIP's text encoder, which looks at the image tokens of the reference, as CoVR trains it; no image network.

Weights have the names of `BlipForImageTextRetrieval` of transformers. Words may be ids or, for the
small network over stored features, embeddings.

Source: Li et al., ICML 2022 (https://arxiv.org/abs/2201.12086); Ventura et al., AAAI 2024
(https://arxiv.org/abs/2308.14746).

`build_blip_network` makes it of a published size, with the weights of a checkpoint, or small and untrained.
"""

# Shapes: B queries, L tokens, P image tokens (both padded), W width of a text state, V width of an image token,
# D embedding.

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import BlipTextConfig
from transformers.models.blip.modeling_blip_text import BlipTextModel

from cvr_bench.models.networks.covr.config import CovrConfig, NetworkConfig
from cvr_bench.models.parts.device import model_random_generators
from cvr_bench.models.parts.weights import read_model_extra_weights
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders.networks.checkpoints import load_encoder_network, load_encoder_tokenizer
from cvr_data.features.protocol import Encoder

CLS, ENC = 1, 2
"""First tokens: places in the table of the small network, 0 is padding; a tokenizer puts [CLS] first by itself."""


@dataclass(frozen=True)
class Words:
    """A batch of texts, ready for a text encoder."""

    ids_BL: Tensor | None
    """Ids of tokens, of which the first stands for the whole text; None where states are given."""
    mask_BL: Tensor
    states_BLW: Tensor | None = None
    """Embeddings of tokens instead of ids, without a first token that stands for the text."""

    def rows(self, rows_R: Tensor) -> "Words":
        """Return the texts of some rows."""
        ids_RL = None if self.ids_BL is None else self.ids_BL[rows_R]
        return Words(ids_RL, self.mask_BL[rows_R], None if self.states_BLW is None else self.states_BLW[rows_R])


@dataclass(frozen=True)
class ImageTokens:
    """What a text encoder looks at."""

    tokens_BPV: Tensor
    mask_BP: Tensor


class BlipNetwork(nn.Module):
    """(texts, image tokens) -> embeddings of unit length.

    Args:
        text_encoder: of transformers, with cross-attention.
        vision_width: of an image token.
        dim: of the embedding.
        enc_id: id of the token that takes the first place of a text that looks at an image.
        word_width: of the embeddings of words that stand for ids; 0 for ids.
        with_prompt: add BSE-CoVR's projection of a description onto image tokens.
    """

    def __init__(
        self, text_encoder: BlipTextModel, vision_width: int, dim: int, *, enc_id: int = 30523, word_width: int = 0,
        with_prompt: bool = False,
    ):  # fmt: skip
        super().__init__()
        width = text_encoder.config.hidden_size
        self.text_encoder = text_encoder
        self.text_proj = nn.Linear(width, dim)
        self.vision_proj = nn.Linear(vision_width, dim)
        self.prompt_proj = nn.Linear(width, vision_width) if with_prompt else None
        self.words = nn.Linear(word_width, width) if word_width else None
        self.enc_id = enc_id

    def states(self, words: Words, image: ImageTokens | None, first: int | None = None) -> Tensor:
        """Return states_BLW, the first of which stands for the text; with an image, of the text looking at it.

        `first`, the first token, is otherwise [ENC] with an image and [CLS] without one.
        """
        if first is None:
            first = CLS if image is None else ENC
        if image is None:
            return self._attend(words, None, first)
        # transformers (5.23) leaves out the mask of what is looked at, so each number of tokens has a pass of its own
        counts_B = image.mask_BP.sum(dim=1)
        counts = counts_B.unique().tolist()
        if len(counts) == 1:
            return self._attend(words, image.tokens_BPV[:, : counts[0]], first)
        parts, places = [], []
        for count in counts:
            rows = (counts_B == count).nonzero().flatten()
            parts.append(self._attend(words.rows(rows), image.tokens_BPV[rows, :count], first))
            places.append(rows)
        return torch.cat(parts)[torch.cat(places).argsort()]

    def query(self, words: Words, image: ImageTokens | None, first: int | None = None) -> Tensor:
        """Return query_BD, unit length: of the text looking at the image, or without one of the text alone."""
        return F.normalize(self.text_proj(self.states(words, image, first)[:, 0]).float(), dim=-1)

    def visual(self, class_BV: Tensor) -> Tensor:
        """Return embedding_BD of images, unit length."""
        return F.normalize(self.vision_proj(class_BV).float(), dim=-1)

    def prompt(self, description: Words, first: int = CLS) -> Tensor:
        """Return prompt_BLV: the description's states as wide as image tokens; the first one stands for all of it."""
        if self.prompt_proj is None:
            raise ValueError("This network was made without the projection of descriptions.")
        return self.prompt_proj(self.states(description, None, first))

    def described(self, description: Words, first: int = CLS) -> ImageTokens:
        """Return a description as what a text can look at: all its tokens, as wide as those of images."""
        states_BLV = self.prompt(description, first)
        # without ids, the first token that stands for the whole text comes on top
        own = states_BLV.shape[1] - description.mask_BL.shape[1]
        first_BF = description.mask_BL.new_ones(len(states_BLV), own)
        return ImageTokens(states_BLV, torch.cat([first_BF, description.mask_BL], dim=1))

    def _attend(self, words: Words, tokens_BPV: Tensor | None, first: int) -> Tensor:
        inputs, mask_BL = self._inputs(words, first)
        states = self.text_encoder(**inputs, attention_mask=mask_BL.long(), encoder_hidden_states=tokens_BPV)
        return states.last_hidden_state

    def _inputs(self, words: Words, first: int) -> tuple[dict[str, Tensor], Tensor]:
        """Arguments of the text encoder, and the mask of its tokens."""
        if words.states_BLW is None:
            assert words.ids_BL is not None
            if first == CLS:
                return {"input_ids": words.ids_BL}, words.mask_BL
            enc_B1 = torch.full_like(words.ids_BL[:, :1], self.enc_id)
            return {"input_ids": torch.cat([enc_B1, words.ids_BL[:, 1:]], dim=1)}, words.mask_BL
        assert self.words is not None
        embeddings = self.text_encoder.embeddings
        first_B = torch.full((len(words.states_BLW),), first, device=words.states_BLW.device)
        first_B1W = embeddings.word_embeddings(first_B)[:, None]
        states_BLW = torch.cat([first_B1W, self.words(words.states_BLW)], dim=1)
        mask_BL = torch.cat([words.mask_BL.new_ones(len(first_B), 1), words.mask_BL], dim=1)
        return {"inputs_embeds": states_BLW}, mask_BL


def blip_text_config(**sizes: Any) -> BlipTextConfig:
    """Return the configuration of a text encoder, with cross-attention in every layer."""
    ids: dict[str, Any] = {"bos_token_id": CLS, "pad_token_id": 0, "eos_token_id": CLS, "sep_token_id": CLS}
    return BlipTextConfig(**blip_model_sizes(**sizes), is_decoder=True, **ids)


def blip_model_sizes(
    *, width: int, layers: int, heads: int, vision_width: int, vocabulary: int = 3, positions: int = 512,
    hidden: int | None = None, dropout: float = 0.1,
) -> dict[str, Any]:  # fmt: skip
    """Return sizes under the names that transformers has for them."""
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "encoder_hidden_size": vision_width,
        "intermediate_size": hidden or 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "max_position_embeddings": positions,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
    }


Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Built(Generic[Network]):
    """A network and what reads its texts."""

    network: Network
    tokenizer: Any = None
    token_width: int | None = None
    """Of the image tokens it looks at; None looks at frames."""


def build_blip_network(config: CovrConfig, encoder: Encoder, *, with_prompt: bool = False) -> Built[BlipNetwork]:
    """Return the network of a folder or hub id, or a small one whose image tokens are frames of the encoder.

    Raises:
        CvrError: the checkpoint cannot be loaded, or the features are of another width.
    """
    if config.model is None:
        return Built(_small(config, encoder, with_prompt))
    whole = load_encoder_network("BlipForImageTextRetrieval", config.model)
    check_network_width(encoder, whole.text_proj.out_features, config.model)
    with model_random_generators(config.seed):
        network = BlipNetwork(
            whole.text_encoder,
            whole.vision_proj.in_features,
            whole.text_proj.out_features,
            enc_id=whole.text_encoder.config.vocab_size - 1,
            with_prompt=with_prompt,
        )
    network.text_proj.load_state_dict(whole.text_proj.state_dict())
    network.vision_proj.load_state_dict(whole.vision_proj.state_dict())
    network.load_state_dict(read_model_extra_weights(Path(config.model)), strict=False)
    network.requires_grad_(True)
    return Built(network, load_encoder_tokenizer(config.model), whole.vision_proj.in_features)


def check_network_width(encoder: Encoder, width: int, model: str) -> None:
    """Refuse features that embeddings of a network cannot be compared with.

    Raises:
        CvrError: they are of another width.
    """
    if encoder.dim != width:
        raise CvrError(f"{model} gives embeddings {width} wide, the features are {encoder.dim} wide: embed with it.")


def _small(config: CovrConfig, encoder: Encoder, with_prompt: bool) -> BlipNetwork:
    with model_random_generators(config.seed):
        text_encoder = BlipTextModel(blip_text_config(**small_network_sizes(config, encoder)), add_pooling_layer=False)
        return BlipNetwork(text_encoder, encoder.dim, encoder.dim, word_width=encoder.text_dim, with_prompt=with_prompt)


def small_network_sizes(config: NetworkConfig, encoder: Encoder) -> dict[str, Any]:
    """Return the sizes of a small network over the features of an encoder."""
    sizes = {name: getattr(config, name) for name in ("width", "layers", "heads", "dropout")}
    return {**sizes, "vision_width": encoder.dim}

"""BLIP-2's Q-Former with its query tokens, as CoVR-2 trains it; the frozen image network is left out.

Weights have the names of `Blip2ForImageTextRetrieval` of transformers.

Source: Li et al., ICML 2023 (https://arxiv.org/abs/2301.12597); Ventura et al., TPAMI 2024
(https://arxiv.org/abs/2308.14746v3).

`build_qformer_network` makes it of the published size, with the weights of a checkpoint, or small and untrained.
"""

# Shapes: B queries, L tokens, P image tokens (both padded), K query tokens, W width of a state, V width of an image
# token, D embedding.

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Blip2QFormerConfig
from transformers.models.blip_2.modeling_blip_2 import Blip2QFormerModel, Blip2TextEmbeddings

from cvr_bench.models.networks.covr.blip import (
    CLS,
    Built,
    ImageTokens,
    Words,
    blip_model_sizes,
    check_network_width,
    small_network_sizes,
)
from cvr_bench.models.networks.covr.config import NetworkConfig
from cvr_bench.models.parts.device import model_random_generators
from cvr_bench.models.parts.weights import read_model_extra_weights
from cvr_data.features.encoders.networks.checkpoints import load_encoder_network, load_encoder_tokenizer
from cvr_data.features.protocol import Encoder

LAST_NORM = "vision_model.post_layernorm."
"""What BLIP-2 calls ln_vision, in transformers; networks that train it keep one of their own."""


class QFormerNetwork(nn.Module):
    """(texts, image tokens) -> embeddings of the query tokens, each of unit length.

    Args:
        config: of the Q-Former.
        dim: of the embedding.
        queries: how many query tokens there are.
        word_width: of the embeddings of words that stand for ids; 0 for ids.
    """

    def __init__(self, config: Blip2QFormerConfig, dim: int, *, queries: int, word_width: int = 0):
        super().__init__()
        width = config.hidden_size
        self.query_tokens = nn.Parameter(torch.randn(1, queries, width) * config.initializer_range)
        self.embeddings = Blip2TextEmbeddings(config)
        self.qformer = Blip2QFormerModel(config)
        self.text_projection = nn.Linear(width, dim)
        self.vision_projection = nn.Linear(width, dim)
        self.words = nn.Linear(word_width, width) if word_width else None

    def queries(self, count: int) -> Tensor:
        """Return the query tokens, once for each of `count` queries or videos, (count, K, W)."""
        return self.query_tokens.expand(count, -1, -1)

    def states(self, words: Words, image: ImageTokens) -> Tensor:
        """Return states_BNW of the query tokens and, after them, the tokens of the text, seeing each other."""
        queries_BKW = self.queries(len(words.mask_BL))
        words_BLW, mask_BL = self.embedded(words)
        seen_BK = mask_BL.new_ones(queries_BKW.shape[:2])
        return self.qformer(
            query_embeds=torch.cat([queries_BKW, words_BLW], dim=1),
            query_length=queries_BKW.shape[1],
            attention_mask=torch.cat([seen_BK, mask_BL], dim=1).long(),
            encoder_hidden_states=image.tokens_BPV,
            encoder_attention_mask=_additive(image.mask_BP),
        ).last_hidden_state

    def query_tokens_of(self, words: Words, image: ImageTokens) -> Tensor:
        """Return tokens_BKD, each of unit length, of texts that look at images."""
        states_BNW = self.states(words, image)
        states_BKW = states_BNW[:, : self.queries(1).shape[1]]
        return F.normalize(self.text_projection(states_BKW).float(), dim=-1)

    def visual_tokens_of(self, image: ImageTokens) -> Tensor:
        """Return tokens_BKD, each of unit length, of images alone."""
        return F.normalize(self.vision_projection(self.image_states(image)).float(), dim=-1)

    def image_states(self, image: ImageTokens) -> Tensor:
        """Return states_BKW of the query tokens that look at images alone."""
        return self.qformer(
            query_embeds=self.queries(len(image.mask_BP)),
            encoder_hidden_states=image.tokens_BPV,
            encoder_attention_mask=_additive(image.mask_BP),
        ).last_hidden_state

    def text(self, words: Words) -> Tensor:
        """Return embedding_BD, unit length, of texts alone: that of their first token."""
        return F.normalize(self.text_projection(self.text_states(words)[:, 0]).float(), dim=-1)

    def text_states(self, words: Words) -> Tensor:
        """Return states_BLW of texts alone."""
        words_BLW, mask_BL = self.embedded(words)
        return self.qformer(query_embeds=words_BLW, query_length=0, attention_mask=mask_BL.long()).last_hidden_state

    def embedded(self, words: Words) -> tuple[Tensor, Tensor]:
        """Return the embeddings of the words with their places, and their mask; the first one stands for the text."""
        if words.states_BLW is None:
            return self.embeddings(input_ids=words.ids_BL), words.mask_BL
        assert self.words is not None
        first_B1 = torch.full((len(words.mask_BL), 1), CLS, device=words.mask_BL.device)
        first_B1W = self.embeddings.word_embeddings(first_B1)
        words_BLW = torch.cat([first_B1W, self.words(words.states_BLW)], dim=1)
        places_L = torch.arange(words_BLW.shape[1], device=words_BLW.device)
        mask_BL = torch.cat([words.mask_BL.new_ones(len(words_BLW), 1), words.mask_BL], dim=1)
        return words_BLW + self.embeddings.position_embeddings(places_L), mask_BL


def _additive(mask_BP: Tensor) -> Tensor:
    """What is added to attention, (B, 1, 1, P): a mask that transformers does not stretch over the text as well."""
    hidden_BP = torch.zeros(mask_BP.shape, device=mask_BP.device).masked_fill(~mask_BP, torch.finfo(torch.float32).min)
    return hidden_BP[:, None, None]


def qformer_network_config(*, every: int = 2, **sizes: Any) -> Blip2QFormerConfig:
    """Return the configuration of a Q-Former whose every second layer (`every`) looks at the image."""
    own: dict[str, Any] = {"cross_attention_frequency": every, "use_qformer_text_input": True, "pad_token_id": 0}
    return Blip2QFormerConfig(**blip_model_sizes(**sizes), **own)


Network = TypeVar("Network", bound=QFormerNetwork)


def build_qformer_network(
    config: NetworkConfig, encoder: Encoder, queries: int, make: Callable[..., Network]
) -> Built[Network]:
    """Return the Q-Former of a folder or hub id, or a small one whose image tokens are frames of the encoder.

    `make` is called as QFormerNetwork is; what more it has is taken from the weights that lie beside the model.

    Raises:
        CvrError: the checkpoint cannot be loaded, or the features are of another width.
    """
    if config.model is None:
        with model_random_generators(config.seed):
            small = qformer_network_config(**small_network_sizes(config, encoder))
            return Built(make(small, encoder.dim, queries=queries, word_width=encoder.text_dim))
    whole = load_encoder_network("Blip2ForImageTextRetrieval", config.model)
    settings = whole.config
    check_network_width(encoder, settings.image_text_hidden_size, config.model)
    with model_random_generators(config.seed):
        network = make(settings.qformer_config, settings.image_text_hidden_size, queries=settings.num_query_tokens)
    found = {name.replace(LAST_NORM, "ln_vision."): weight for name, weight in whole.state_dict().items()}
    found |= read_model_extra_weights(Path(config.model))
    network.load_state_dict({name: weight for name, weight in found.items() if name in network.state_dict()}, False)
    return Built(network, load_encoder_tokenizer(config.model), settings.vision_config.hidden_size)

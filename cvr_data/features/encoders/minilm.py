"""Texts by the sentence encoder all-MiniLM-L6-v2, whose weights come as a package; no videos.

A text becomes one 384-d hidden state per token and their mean, unit length: exactly what `sentence-transformers`
gives for this model, in less time to load.
"""

# Shapes: B texts, L tokens, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_data.core.errors import CvrError
from cvr_data.core.model_packages import model_path
from cvr_data.features.device import map_batches
from cvr_data.features.encoders.networks.minilm import WIDTH, MiniLM, load_released
from cvr_data.features.encoders.networks.options import OnDevice, Products
from cvr_data.features.protocol import TextFeatures, VideoFeatures, no_texts, pad_rows
from cvr_data.media.video import Video

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENS = 1024
"""Of a batch: enough for the products, few enough to stay in a processor's caches."""


@dataclass(frozen=True, kw_only=True)
class Config(Products):
    max_tokens: int = 256
    """Longer texts are cut; 256 is what the model was made for."""

    def __post_init__(self) -> None:
        if not 3 <= self.max_tokens <= 512:
            raise ValueError(f"max_tokens must be 3 to 512, got {self.max_tokens}.")


TINY = Config(max_tokens=16)


def load(config: Config) -> "MiniLMEncoder":
    """Return the encoder; its weights are read when the first text comes."""
    return MiniLMEncoder(config)


class MiniLMEncoder(OnDevice):
    """Texts -> one 384-d embedding per token and per text."""

    name = "minilm"
    dim = 0
    text_dim = WIDTH

    def __init__(self, config: Config):
        self.config = config
        super().__init__(config)

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return one embedding per token and per text; batches hold texts of like length."""
        if not texts:
            return no_texts(WIDTH)
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        by_length = sorted(range(len(ids)), key=lambda index: (len(ids[index]), index))
        batches = _batches([ids[index] for index in by_length])
        network = self._network  # read before threads ask for it at once
        encoded = map_batches(lambda batch: self._encode_batch(network, batch), batches, self.device)
        tokens: list[Tensor] = [torch.empty(0)] * len(ids)
        for index, tokens_LD in zip(by_length, chain.from_iterable(encoded), strict=True):
            tokens[index] = tokens_LD
        tokens_BLD, mask_BL = pad_rows(tokens)
        pooled_BD = torch.stack([tokens_LD.mean(dim=0) for tokens_LD in tokens])
        return TextFeatures(tokens_BLD, mask_BL, F.normalize(pooled_BD, dim=-1))

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Refuse: this network knows no pixels."""
        raise CvrError("minilm encodes texts only; the encoder 'embedded' takes videos too.")

    @torch.no_grad()
    def _encode_batch(self, network: MiniLM, ids: list[list[int]]) -> list[Tensor]:
        lengths = [len(each) for each in ids]
        ids_N = torch.tensor(list(chain.from_iterable(ids)), device=self.device)
        with self.autocast():
            tokens_ND = network(ids_N, lengths).float().cpu()
        return list(tokens_ND.split(lengths))

    @cached_property
    def _network(self) -> MiniLM:
        return load_released(model_path("minilm") / "model.safetensors").to(self.device)

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(model_path("minilm") / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.config.max_tokens)
        return tokenizer


def _batches(texts: list[list[int]]) -> list[list[list[int]]]:
    """Return the texts in batches of at most `TOKENS` tokens, or of one text."""
    batches: list[list[list[int]]] = []
    total = TOKENS
    for ids in texts:
        total += len(ids)
        if total > TOKENS:
            batches.append([])
            total = len(ids)
        batches[-1].append(ids)
    return batches

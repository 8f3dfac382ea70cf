"""Texts by the sentence encoder all-MiniLM-L6-v2, whose weights come as a package; no videos.

A text becomes one 384-d hidden state per token and their mean, unit length: exactly what `sentence-transformers`
gives for this model, in less time to load.
"""

# Shapes: B texts (in the network those of one length), L tokens, N tokens of all texts one after another, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cvr_data.core.device import map_torch_batches
from cvr_data.core.errors import CvrError
from cvr_data.core.model_packages import packaged_file_path
from cvr_data.core.ranges import option_range
from cvr_data.core.torch_files import read_safetensors
from cvr_data.features.encoders.networks.options import OnDevice, Products
from cvr_data.features.protocol import TextFeatures, VideoFeatures, empty_text_features, pad_features
from cvr_data.media.video import Video

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WIDTH, HEADS, LAYERS, HIDDEN = 384, 12, 6, 1536
VOCABULARY, POSITIONS = 30522, 512
EPS = 1e-12
TOKENS = 1024
"""Of a batch: enough for the products, few enough to stay in a processor's caches."""


@dataclass(frozen=True, kw_only=True)
class Config(Products):
    max_tokens: int = field(default=256, metadata=option_range("[3, inf)"))
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
            return empty_text_features(WIDTH)
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        by_length = sorted(range(len(ids)), key=lambda index: (len(ids[index]), index))
        batches = _batches([ids[index] for index in by_length])
        network = self._network  # read before threads ask for it at once
        encoded = map_torch_batches(lambda batch: self._encode_batch(network, batch), batches, self.device)
        tokens: list[Tensor] = [torch.empty(0)] * len(ids)
        for index, tokens_LD in zip(by_length, chain.from_iterable(encoded), strict=True):
            tokens[index] = tokens_LD
        tokens_BLD, mask_BL = pad_features(tokens)
        pooled_BD = torch.stack([tokens_LD.mean(dim=0) for tokens_LD in tokens])
        return TextFeatures.of(tokens_BLD, mask_BL, pooled_BD)

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Refuse: this network knows no pixels."""
        raise CvrError("minilm encodes texts only; the encoder 'embedded' takes videos too.")

    @torch.no_grad()
    def _encode_batch(self, network: "MiniLM", ids: list[list[int]]) -> list[Tensor]:
        lengths = [len(each) for each in ids]
        ids_N = torch.tensor(list(chain.from_iterable(ids)), device=self.device)
        with self.autocast():
            tokens_ND = network(ids_N, lengths).float().cpu()
        return list(tokens_ND.split(lengths))

    @cached_property
    def _network(self) -> "MiniLM":
        network = MiniLM()
        network.load_state_dict(_renamed(read_safetensors(packaged_file_path("minilm") / "model.safetensors")))
        return network.eval().to(self.device)

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(packaged_file_path("minilm") / "tokenizer.json"))
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


class MiniLM(nn.Module):
    """Token ids -> one hidden state per token: a six-layer BERT on plain torch layers, without importing transformers.

    Texts lie one after another, without padding: products see every token of the batch at once, and attention the
    texts of one length at a time, so it needs no mask.

    Source: Wang et al., NeurIPS 2020 (https://arxiv.org/abs/2002.10957), fine-tuned for sentences by
    sentence-transformers (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2).
    """

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(POSITIONS, WIDTH)
        self.sentence = nn.Parameter(torch.zeros(WIDTH))
        self.norm = nn.LayerNorm(WIDTH, eps=EPS)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, ids_N: Tensor, lengths: Sequence[int]) -> Tensor:
        """Return tokens_ND of texts of these lengths; texts of one length are best neighbours."""
        places_N = torch.cat([torch.arange(length) for length in lengths]).to(ids_N.device)
        tokens_ND = self.norm(self.words(ids_N) + self.positions(places_N) + self.sentence)
        alike = [(length, len(list(texts))) for length, texts in groupby(lengths)]
        for layer in self.layers:
            tokens_ND = layer(tokens_ND, alike)
        return tokens_ND


class Layer(nn.Module):
    """Attention and a feed-forward network, each added to its input and then normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.attend_in = nn.Linear(WIDTH, 3 * WIDTH)
        self.attend_out = nn.Linear(WIDTH, WIDTH)
        self.norm_attended = nn.LayerNorm(WIDTH, eps=EPS)
        self.widen = nn.Linear(WIDTH, HIDDEN)
        self.narrow = nn.Linear(HIDDEN, WIDTH)
        self.norm_narrowed = nn.LayerNorm(WIDTH, eps=EPS)

    def forward(self, tokens_ND: Tensor, alike: Sequence[tuple[int, int]]) -> Tensor:
        """Return tokens_ND after one layer; `alike` says (length, how many texts) of texts that follow one another."""
        projected = self.attend_in(tokens_ND).split([length * texts for length, texts in alike])
        attended = [_attended(heads, length) for heads, (length, _) in zip(projected, alike, strict=True)]
        tokens_ND = self.norm_attended(tokens_ND + self.attend_out(torch.cat(attended)))
        narrowed_ND = self.narrow(nn.functional.gelu(self.widen(tokens_ND)))
        return self.norm_narrowed(tokens_ND + narrowed_ND)


def _attended(projected: Tensor, length: int) -> Tensor:
    """Return what the tokens of texts of one length read from each other, (B * L, D), of their (B * L, 3 D)."""
    heads = projected.view(-1, length, 3, HEADS, WIDTH // HEADS)
    queries, keys, values = heads.permute(2, 0, 3, 1, 4)
    attended = nn.functional.scaled_dot_product_attention(queries, keys, values)
    return attended.transpose(1, 2).reshape(-1, WIDTH)


def _renamed(bert: dict[str, Tensor]) -> dict[str, Tensor]:
    state = {
        "words.weight": bert["embeddings.word_embeddings.weight"],
        "positions.weight": bert["embeddings.position_embeddings.weight"],
        "sentence": bert["embeddings.token_type_embeddings.weight"][0],
    }
    parts = {"norm": "embeddings.LayerNorm"}
    for index in range(LAYERS):
        theirs, ours = f"encoder.layer.{index}", f"layers.{index}"
        parts[f"{ours}.attend_out"] = f"{theirs}.attention.output.dense"
        parts[f"{ours}.norm_attended"] = f"{theirs}.attention.output.LayerNorm"
        parts[f"{ours}.widen"] = f"{theirs}.intermediate.dense"
        parts[f"{ours}.narrow"] = f"{theirs}.output.dense"
        parts[f"{ours}.norm_narrowed"] = f"{theirs}.output.LayerNorm"
        for kind in ("weight", "bias"):
            heads = [bert[f"{theirs}.attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
            state[f"{ours}.attend_in.{kind}"] = torch.cat(heads)
    for ours, theirs in parts.items():
        state.update({f"{ours}.{kind}": bert[f"{theirs}.{kind}"] for kind in ("weight", "bias")})
    return state

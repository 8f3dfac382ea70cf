"""The six-layer BERT of all-MiniLM-L6-v2 on plain torch layers, so that encoding text does not import transformers.

Source: Wang et al., NeurIPS 2020 (https://arxiv.org/abs/2002.10957), fine-tuned for sentences by sentence-transformers
(https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2). Tested equal to `SentenceTransformer` on its weights.
"""

# Shapes: N tokens of all texts one after another, B texts of one length, L tokens of a text, D embedding.

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor, nn

from cvr_data.core.torch_files import read_safetensors

WIDTH, HEADS, LAYERS, HIDDEN = 384, 12, 6, 1536
VOCABULARY, POSITIONS = 30522, 512
EPS = 1e-12


class MiniLM(nn.Module):
    """Token ids -> one hidden state per token.

    Texts lie one after another, without padding: products see every token of the batch at once, and attention the
    texts of one length at a time, so it needs no mask.
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


def load_released(weights: Path) -> MiniLM:
    """Return the network with the weights of a BERT safetensors file, in evaluation mode."""
    network = MiniLM()
    network.load_state_dict(_renamed(read_safetensors(weights)))
    return network.eval()


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

"""The six-layer BERT of all-MiniLM-L6-v2 on plain torch layers, so that encoding text does not import transformers.

Source: Wang et al., NeurIPS 2020 (https://arxiv.org/abs/2002.10957), fine-tuned for sentences by sentence-transformers
(https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2). Tested equal to `SentenceTransformer` on its weights.
"""

# Shapes: B texts, L tokens, D embedding.

from pathlib import Path

import torch
from torch import Tensor, nn

WIDTH, HEADS, LAYERS, HIDDEN = 384, 12, 6, 1536
VOCABULARY, POSITIONS = 30522, 512
EPS = 1e-12


class MiniLM(nn.Module):
    """Token ids -> one hidden state per token."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(POSITIONS, WIDTH)
        self.sentence = nn.Parameter(torch.zeros(WIDTH))
        self.norm = nn.LayerNorm(WIDTH, eps=EPS)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
        """Return tokens_BLD; what stands at padding is meaningless."""
        places_L = torch.arange(ids_BL.shape[1], device=ids_BL.device)
        tokens_BLD = self.norm(self.words(ids_BL) + self.positions(places_L) + self.sentence)
        for layer in self.layers:
            tokens_BLD = layer(tokens_BLD, mask_BL)
        return tokens_BLD


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

    def forward(self, tokens_BLD: Tensor, mask_BL: Tensor) -> Tensor:
        """Return tokens_BLD after one layer."""
        batch, length, _ = tokens_BLD.shape
        heads = self.attend_in(tokens_BLD).view(batch, length, 3, HEADS, WIDTH // HEADS)
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(queries, keys, values, mask_BL[:, None, None, :])
        attended_BLD = self.attend_out(attended.transpose(1, 2).reshape(batch, length, WIDTH))
        tokens_BLD = self.norm_attended(tokens_BLD + attended_BLD)
        narrowed_BLD = self.narrow(nn.functional.gelu(self.widen(tokens_BLD)))
        return self.norm_narrowed(tokens_BLD + narrowed_BLD)


def load_released(weights: Path) -> MiniLM:
    """Return the network with the weights of a BERT safetensors file, in evaluation mode."""
    from safetensors.torch import load_file

    network = MiniLM()
    network.load_state_dict(_renamed(load_file(weights)))
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

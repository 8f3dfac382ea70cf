"""The small Transformers that DRL and CLIP4Clip put behind CLIP, with their parameter names.

TransformerLayers are those of CLIP's text network; the references copy its first four layers into them.

Source: Luo et al., 2021 (https://arxiv.org/abs/2104.08860) and Wang et al., 2022 (https://arxiv.org/abs/2203.07111).
"""

# Shapes: B rows, N positions (padded), T frames, D embedding.

from collections import OrderedDict

import torch
from torch import Tensor, nn

from cvr_data.core.errors import CvrError
from cvr_data.features.encoders.networks.openai_clip import QuickGELU

DEPTH = 4
EPSILON = 1e-12
"""Of layer norms, here; CLIP's own is 1e-5."""


class TransformerLayer(nn.Module):
    """A pre-norm Transformer layer."""

    def __init__(self, dim: int, heads: int, *, start: str):
        super().__init__()
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(dim, eps=EPSILON), nn.LayerNorm(dim, eps=EPSILON)
        hidden, out = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.mlp = nn.Sequential(OrderedDict[str, nn.Module](c_fc=hidden, gelu=QuickGELU(), c_proj=out))
        nn.init.normal_(self.attn.in_proj_weight, std=dim**-0.5)
        nn.init.normal_(hidden.weight, std=(2 * dim) ** -0.5)
        nn.init.zeros_(out.bias)
        for weight in (self.attn.out_proj.weight, out.weight):
            nn.init.normal_(weight, std=0.0 if start == "identity" else dim**-0.5 * (2 * DEPTH) ** -0.5)

    def forward(self, values_BND: Tensor, mask_BN: Tensor) -> Tensor:
        """Return values_BND; positions where the mask is False are not looked at."""
        normed_BND = self.ln_1(values_BND)
        attended_BND, _ = self.attn(normed_BND, normed_BND, normed_BND, key_padding_mask=~mask_BN, need_weights=False)
        values_BND = values_BND + attended_BND
        return values_BND + self.mlp(self.ln_2(values_BND))


class TransformerLayers(nn.Module):
    """Several layers.

    With the `start` identity they give back what they get until they are trained; random starts as CLIP does.
    """

    def __init__(self, dim: int, heads: int, *, start: str):
        super().__init__()
        self.resblocks = nn.ModuleList(TransformerLayer(dim, heads, start=start) for _ in range(DEPTH))

    def forward(self, values_BND: Tensor, mask_BN: Tensor) -> Tensor:
        """Return values_BND."""
        for block in self.resblocks:
            values_BND = block(values_BND, mask_BN)
        return values_BND


class PositionEmbeddings(nn.Module):
    """The positions of a joint sequence of text and frames."""

    def __init__(self, positions: int, dim: int):
        super().__init__()
        self.position_embeddings = nn.Embedding(positions, dim)
        nn.init.normal_(self.position_embeddings.weight, std=0.02)


class Pooler(nn.Module):
    """The first position, through a layer."""

    def __init__(self, dim: int):
        super().__init__()
        self.ln_pool, self.dense, self.activation = nn.LayerNorm(dim, eps=EPSILON), _linear(dim, dim), QuickGELU()

    def forward(self, values_BND: Tensor) -> Tensor:
        """Return pooled_BD."""
        return self.activation(self.dense(self.ln_pool(values_BND[:, 0])))


class Cross(nn.Module):
    """A text vector and the frames of a video, as one sequence, to one vector."""

    def __init__(self, dim: int, *, positions: int, heads: int, dropout: float):
        super().__init__()
        self.embeddings = PositionEmbeddings(positions, dim)
        self.transformer = TransformerLayers(dim, heads, start="random")
        self.pooler = Pooler(dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, text_BD: Tensor, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return joint_BD."""
        joint_BND = torch.cat([text_BD.unsqueeze(1), frames_BTD], dim=1)
        joint_BND = self.drop(joint_BND + _first_positions(self.embeddings.position_embeddings, joint_BND.shape[1]))
        mask_BN = torch.cat([mask_BT.new_ones(len(mask_BT), 1), mask_BT], dim=1)
        return self.pooler(self.transformer(joint_BND, mask_BN))


class FrameLstm(nn.Module):
    """seqLSTM: each frame plus what an LSTM has seen up to it."""

    def __init__(self, dim: int):
        super().__init__()
        self.lstm_visual = nn.LSTM(dim, dim, batch_first=True)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return frames_BTD; an LSTM runs forward, so padding at the end changes no frame."""
        return frames_BTD + self.lstm_visual(frames_BTD)[0] * mask_BT.unsqueeze(-1)


class FrameTransformer(nn.Module):
    """seqTransf: each frame plus what a Transformer makes of all frames and their positions."""

    def __init__(self, dim: int, *, positions: int, heads: int, start: str):
        super().__init__()
        self.frame_position_embeddings = nn.Embedding(positions, dim)
        nn.init.normal_(self.frame_position_embeddings.weight, std=0.01)
        self.transformerClip = TransformerLayers(dim, heads, start=start)

    def forward(self, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return frames_BTD."""
        placed_BTD = frames_BTD + _first_positions(self.frame_position_embeddings, frames_BTD.shape[1])
        return frames_BTD + self.transformerClip(placed_BTD, mask_BT)


def part_weights_head(dim: int, layers: int) -> nn.Module:
    """Return what gives a logit to each part: one linear layer, with `layers` - 1 hidden ones before it."""
    if layers == 1:
        return _linear(dim, 1)
    hidden = [module for _ in range(layers - 1) for module in (_linear(dim, dim), nn.ReLU())]
    return nn.Sequential(*hidden, _linear(dim, 1))


def _first_positions(table: nn.Embedding, count: int) -> Tensor:
    """Return the first rows of a table of positions. Raises CvrError: it has fewer."""
    if count > table.num_embeddings:
        raise CvrError(
            f"A video has {count} frames, and this model has {table.num_embeddings} positions; set positions={count} "
            "or more, or embed fewer frames."
        )
    return table.weight[:count]


def _linear(width_in: int, width_out: int) -> nn.Linear:
    layer = nn.Linear(width_in, width_out)
    nn.init.normal_(layer.weight, std=0.02)
    nn.init.zeros_(layer.bias)
    return layer

"""FDCA's network as its authors released it: same formulas, same parameter names, without the work that has no effect.

Both "Transformers" run on sequences of one element, so their attention is a value and an output projection; the query
and key parameters are loaded and saved, and never used. In evaluation the two projections are one matrix.

Source: Wu et al., ICLR 2025 (https://openreview.net/forum?id=wGa2plE8ka) and the code github.com/May2333/FDCA.
"""

# Shapes: B queries, L tokens (padded), C clusters, D embedding, W width of a fusion layer, H heads, P parts to fuse.

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models.networks.fdca.clustering import TokenClustering
from cvr_bench.models.parts.losses import info_nce, loss_similarities, triplet_margin

HEADS = 8
SHARPNESS = 10.0
"""Of the soft argmax over clusters."""
LOGIT_SCALE = 100.0
TRIPLET_WEIGHT = 10.0


@dataclass(frozen=True)
class TextView:
    """One caption as the frozen text encoder sees it."""

    pooled_BD: Tensor
    tokens_BLD: Tensor
    valid_BL: Tensor


@dataclass(frozen=True)
class Composition:
    """What a batch of queries becomes; all but the video are unit length."""

    query_BD: Tensor
    """The only one that retrieval uses."""
    query_token_BD: Tensor
    query_negative_BD: Tensor
    """The composition polluted by what the text excludes."""
    retained_BD: Tensor
    retained_token_BD: Tensor
    """By tokens; no loss reads it, the golden numbers do."""
    video_BD: Tensor
    """Mean frame, not normalised."""


class SingleKeyAttention(nn.Module):
    """Multi-head attention to one key: the softmax is 1, so it is a value and an output projection."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)
        self._merged: tuple[tuple, Tensor, Tensor] | None = None

    def forward(self, key_BW: Tensor) -> Tensor:
        """Return attended_BW."""
        if not torch.is_grad_enabled() and not self.training:
            return F.linear(key_BW, *self._merge())
        width = self.out_proj.in_features
        value_BW = F.linear(key_BW, self.in_proj_weight[2 * width :], self.in_proj_bias[2 * width :])
        if self.training and self.dropout:
            # dropping the one attention weight of a head drops or doubles that head's value
            value_BHW = value_BW.unflatten(-1, (self.heads, -1))
            kept_BH1 = F.dropout(torch.ones_like(value_BHW[..., :1]), self.dropout)
            value_BW = (value_BHW * kept_BH1).flatten(-2)
        return self.out_proj(value_BW)

    def _merge(self) -> tuple[Tensor, Tensor]:
        """(weight, bias) of both projections as one, recomputed when a parameter has changed."""
        parameters = (self.in_proj_weight, self.in_proj_bias, self.out_proj.weight, self.out_proj.bias)
        state = tuple((parameter.data_ptr(), parameter._version, parameter.dtype) for parameter in parameters)
        if self._merged is None or self._merged[0] != state:
            width = self.out_proj.in_features
            value_weight, value_bias = self.in_proj_weight[2 * width :], self.in_proj_bias[2 * width :]
            weight = self.out_proj.weight @ value_weight
            self._merged = (state, weight, self.out_proj.weight @ value_bias + self.out_proj.bias)
        return self._merged[1], self._merged[2]


class RetainedExtractor(nn.Module):
    """Text embedding -> the part of it that the target keeps. The reference video has no influence, as released."""

    def __init__(self, dim: int, dropout: float, positions: tuple[int, int]):
        super().__init__()
        self.attention = SingleKeyAttention(dim, HEADS, dropout)
        self.linear1, self.linear2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.imgs_pos_embedding = nn.Embedding(positions[0], dim)  # both: in the published files, unused
        self.words_pos_embedding = nn.Embedding(positions[1], dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, text_BD: Tensor) -> Tensor:
        """Return retained_BD."""
        attended_BD = self.norm1(text_BD + self.drop(self.attention(text_BD)))
        hidden_BD = self.linear2(self.drop(F.relu(self.linear1(attended_BD))))
        return self.norm2(attended_BD + self.drop(hidden_BD))


class FusionLayer(nn.Module):
    """A pre-norm Transformer layer on a sequence of one element."""

    def __init__(self, width: int, hidden: int, dropout: float):
        super().__init__()
        self.self_attn = SingleKeyAttention(width, HEADS, dropout)
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.drop = nn.Dropout(dropout)

    def forward(self, fused_BW: Tensor) -> Tensor:
        """Return fused_BW."""
        fused_BW = fused_BW + self.drop(self.self_attn(self.norm1(fused_BW)))
        hidden_BW = self.linear2(self.drop(F.gelu(self.linear1(self.norm2(fused_BW)))))
        return fused_BW + self.drop(hidden_BW)


class FusionLayers(nn.Module):
    """Some fusion layers that start out equal, as copies of one."""

    def __init__(self, width: int, *, hidden: int, depth: int, dropout: float):
        super().__init__()
        self.layers = nn.ModuleList(FusionLayer(width, hidden, dropout) for _ in range(depth))
        for layer in self.layers[1:]:
            layer.load_state_dict(self.layers[0].state_dict())

    def forward(self, fused_BW: Tensor) -> Tensor:
        """Return fused_BW."""
        for layer in self.layers:
            fused_BW = layer(fused_BW)
        return fused_BW


class FaithfulFdca(nn.Module):
    """The released Combiner without the frozen CLIP inside it; all defaults are as released.

    `positions` says how many frames and tokens have an unused position embedding.
    """

    def __init__(
        self, dim: int, *, depth: int = 6, hidden: int = 2048, dropout: float = 0.5,
        positions: tuple[int, int] = (8, 77),
    ):  # fmt: skip
        super().__init__()
        if dim % HEADS:
            raise ValueError(f"The width of the embeddings should be a multiple of {HEADS}, got {dim}.")
        self.remained_extractor = RetainedExtractor(dim, dropout, positions)
        self.trans_1 = FusionLayers(2 * dim, hidden=hidden, depth=depth, dropout=dropout)
        self.trans_2 = FusionLayers(3 * dim, hidden=hidden, depth=depth, dropout=dropout)
        self.fc = nn.Linear(3 * dim, dim)
        self.ctm = TokenClustering(dim)

    def encode_query(self, video_BD: Tensor, text_BD: Tensor) -> Tensor:
        """Return query_BD, unit length: all that retrieval needs."""
        retained_BD = self.remained_extractor(text_BD)
        return self._fuse(video_BD, [(retained_BD, text_BD - retained_BD)])[0]

    def compose(self, video_BD: Tensor, text: TextView, without_negation: TextView) -> Composition:
        """Return the composition by sequence and by tokens, fused in one pass."""
        retained_BD = self.remained_extractor(text.pooled_BD)
        with torch.autocast(video_BD.device.type, enabled=False):  # soft argmaxes of large products need the digits
            polluted_BD, injected_BD, retained_token_BD = self._disentangle(video_BD, text, without_negation)
        parts = [
            (retained_BD, text.pooled_BD - retained_BD),
            (retained_token_BD, injected_BD),
            (polluted_BD, injected_BD),
        ]
        query_BD, query_token_BD, query_negative_BD = self._fuse(video_BD, parts)
        return Composition(
            query_BD=query_BD,
            query_token_BD=query_token_BD,
            query_negative_BD=query_negative_BD,
            retained_BD=F.normalize(retained_BD.float(), dim=-1),
            retained_token_BD=F.normalize(retained_token_BD.float(), dim=-1),
            video_BD=video_BD,
        )

    def _fuse(self, video_BD: Tensor, parts: Sequence[tuple[Tensor, Tensor]]) -> list[Tensor]:
        """One unit-length query_BD per (retained_BD, injected_BD)."""
        retained_QD = torch.cat([retained_BD for retained_BD, _ in parts])
        injected_QD = torch.cat([injected_BD for _, injected_BD in parts])
        fused_QW = self.trans_1(torch.cat([video_BD.repeat(len(parts), 1), retained_QD], dim=-1))
        fused_QW = self.trans_2(torch.cat([fused_QW, injected_QD], dim=-1))
        return list(F.normalize(self.fc(fused_QW).float(), dim=-1).chunk(len(parts)))

    def _disentangle(
        self, video_BD: Tensor, text: TextView, without_negation: TextView
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(retained + excluded, injected, retained), each (B, D), told apart by clustering tokens twice."""
        video_BD, valid_BL = video_BD.float(), without_negation.valid_BL
        tokens_BLD = self.ctm.convolved(without_negation.tokens_BLD)
        stripped = self.ctm(tokens_BLD, valid_BL)
        alike_BC = _soft_argmax(_dot(stripped.means_BCD, video_BD))
        polluted_BD = _weighted(alike_BC, stripped.means_BCD)
        injected_BD = without_negation.pooled_BD.float() - polluted_BD
        in_video_BL = stripped.cluster_BL == alike_BC.argmax(dim=1, keepdim=True)
        split = self.ctm(tokens_BLD, valid_BL & in_video_BL)

        tokens_BLD = self.ctm.convolved(text.tokens_BLD)
        full = self.ctm(tokens_BLD, text.valid_BL)
        injected_BC = _soft_argmax(_dot(full.means_BCD, injected_BD))
        is_kept_BL = full.cluster_BL == (1 - injected_BC).argmax(dim=1, keepdim=True)
        kept = self.ctm(tokens_BLD, text.valid_BL & is_kept_BL)

        agreement_BCC = kept.means_BCD @ split.means_BCD.transpose(1, 2)
        weight_BC = _soft_argmax(agreement_BCC.flatten(1)).unflatten(1, agreement_BCC.shape[1:]).sum(dim=-1)
        return polluted_BD, injected_BD, _weighted(weight_BC, kept.means_BCD)


@dataclass(frozen=True)
class FaithfulLosses:
    """The logits and the four losses, as released: one direction, no false-negative masking, two with a scale."""

    logits_BB: Tensor
    logits_token_BB: Tensor
    logits_retained_BB: Tensor
    triplet: Tensor
    """Already times 10."""

    @classmethod
    def of(cls, composition: Composition, target_BD: Tensor) -> "FaithfulLosses":
        """Return the losses against the mean frames of the targets."""
        target_BD = F.normalize(target_BD.float(), dim=-1)
        video_BD = F.normalize(composition.video_BD.float(), dim=-1)
        margin = triplet_margin(target_BD, composition.query_BD, composition.query_negative_BD, margin=0.2)
        return cls(
            logits_BB=LOGIT_SCALE * loss_similarities(composition.query_BD, target_BD),
            logits_token_BB=LOGIT_SCALE * loss_similarities(composition.query_token_BD, target_BD),
            logits_retained_BB=loss_similarities(composition.retained_BD, video_BD),
            triplet=TRIPLET_WEIGHT * margin,
        )

    def named(self) -> dict[str, Tensor]:
        """Return each loss by name, and their sum as `loss`."""
        parts = {
            "sequence": info_nce(self.logits_BB, symmetric=False),
            "token": info_nce(self.logits_token_BB, symmetric=False),
            "retained": info_nce(self.logits_retained_BB, symmetric=False),
            "triplet": self.triplet,
        }
        return {"loss": torch.stack(list(parts.values())).sum(), **parts}


def _dot(means_BCD: Tensor, with_BD: Tensor) -> Tensor:
    return torch.einsum("bcd,bd->bc", means_BCD, with_BD)


def _soft_argmax(scores_BC: Tensor) -> Tensor:
    return (SHARPNESS * scores_BC).softmax(dim=-1)


def _weighted(weights_BC: Tensor, means_BCD: Tensor) -> Tensor:
    return torch.einsum("bc,bcd->bd", weights_BC, means_BCD)

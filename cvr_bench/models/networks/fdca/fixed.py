"""FDCA as its paper describes it, over real sequences; every parameter has an effect on the ranking or the losses.

Each token of the text looks at the other tokens and at the frames of the reference video and gets three roles, which
add up to one: retained, injected, excluded. The token branch adds to the video what is injected and takes away what is
excluded; the sequence branch fuses the frames with the retained tokens, then with the others, and corrects that sum.
"""

# Shapes: B queries, T frames, L tokens (both padded), D embedding, W width, R roles; N of a sequence, M of another.

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_data.features.protocol import TextFeatures, VideoFeatures, masked_feature_mean

RETAINED, INJECTED, EXCLUDED = range(3)
MAX_SCALE = 100.0


class Attention(nn.Module):
    """Multi-head attention; keys have no bias, because a softmax cannot see one."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.value = nn.Linear(width, width), nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, query_BNW: Tensor, keys_BMW: Tensor, mask_BM: Tensor) -> Tensor:
        """Return attended_BNW; keys where the mask is False do not count."""
        parts = [self.query(query_BNW), self.key(keys_BMW), self.value(keys_BMW)]
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask_BM[:, None, None, :], dropout_p=self.dropout if self.training else 0.0
        )
        return self.out(attended.transpose(1, 2).flatten(-2))


class CrossLayer(nn.Module):
    """A pre-norm Transformer layer in which a sequence attends to itself and to a second one."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.norm_own, self.norm_other, self.norm_hidden = (nn.LayerNorm(width) for _ in range(3))
        self.attention = Attention(width, heads, dropout)
        self.hidden = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, own_BNW: Tensor, own_mask_BN: Tensor, other_BMW: Tensor, other_mask_BM: Tensor) -> Tensor:
        """Return own_BNW, having attended to both."""
        query_BNW = self.norm_own(own_BNW)
        keys = torch.cat([query_BNW, self.norm_other(other_BMW)], dim=1)
        mask = torch.cat([own_mask_BN, other_mask_BM], dim=1)
        own_BNW = own_BNW + self.drop(self.attention(query_BNW, keys, mask))
        return own_BNW + self.drop(self.hidden(self.norm_hidden(own_BNW)))


@dataclass(frozen=True)
class Composed:
    """What a batch of queries becomes; each unit length, but for the roles."""

    query_BD: Tensor
    """What retrieval uses."""
    token_BD: Tensor
    """The token branch alone."""
    retained_BD: Tensor
    roles_BLR: Tensor
    """Zero where a token is padding."""


class FixedFdca(nn.Module):
    """Frames and tokens, both `dim` wide -> query embedding in the space of the gallery's mean frames.

    The other arguments are options of the model `fdca`, which tells what they mean.
    """

    length: Tensor
    """Of the frames and tokens that are read; 0 takes them as they are."""

    def __init__(
        self, dim: int, *, width: int, depth: int, heads: int, dropout: float, fusion_dropout: float,
        temperature: float, token_branch: bool,
    ):  # fmt: skip
        super().__init__()
        self.token_branch = token_branch
        # what a linear layer reads then has a variance of about 1
        self.register_buffer("length", torch.tensor(float(dim) ** 0.5))
        self.frame_in, self.token_in = nn.Linear(dim, width), nn.Linear(dim, width)
        self.look = CrossLayer(width, heads, dropout)
        self.norm_role, self.norm_out = nn.LayerNorm(width), nn.LayerNorm(width)
        self.role = nn.Linear(width, 3)
        self.role_embedding = nn.Parameter(torch.randn(3, width) * 0.02)
        self.fuse_retained = nn.ModuleList(CrossLayer(width, heads, fusion_dropout) for _ in range(depth))
        self.fuse_others = nn.ModuleList(CrossLayer(width, heads, fusion_dropout) for _ in range(depth))
        self.fc = nn.Linear(width, dim)
        self.gains = nn.Parameter(torch.ones(2))
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))
        self.drop, self.drop_fused = nn.Dropout(dropout), nn.Dropout(fusion_dropout)
        for parameter in self.role.parameters():
            nn.init.zeros_(parameter)  # roles that start out unequal tend to stay as they are
        with torch.no_grad():
            self.fc.weight.mul_(0.1)  # a correction: the token branch leads

    @property
    def scale(self) -> Tensor:
        """What similarities are multiplied by: one over the learned temperature."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)

    def forward(self, reference: VideoFeatures, text: TextFeatures) -> Composed:
        """Return the composition of each reference and text; how long frames and tokens are has no influence."""
        tokens_BLD = self._brought_to(1.0, text.tokens_BLD)
        frames_BTW = _with_positions(self.frame_in(self.drop(self._brought_to(self.length, reference.frames_BTD))))
        tokens_BLW = _with_positions(self.token_in(self.drop(self._brought_to(self.length, text.tokens_BLD))))
        # each token is judged by the text around it and by the frames
        seen_BLW = self.look(tokens_BLW, text.mask_BL, frames_BTW, reference.mask_BT)
        roles_BLR = self.role(self.norm_role(seen_BLW)).float().softmax(dim=-1) * text.mask_BL.unsqueeze(-1)
        parts_BRD = _means_by_role(tokens_BLD, roles_BLR)
        video_BD = reference.pooled_BD()
        gain_injected, gain_excluded = self.gains
        token_BD = video_BD + gain_injected * parts_BRD[:, INJECTED] - gain_excluded * parts_BRD[:, EXCLUDED]
        fused_BD = self._fuse(frames_BTW, reference.mask_BT, tokens_BLW, text.mask_BL, roles_BLR).float()
        return Composed(
            query_BD=F.normalize((token_BD if self.token_branch else video_BD) + fused_BD, dim=-1),
            token_BD=F.normalize(token_BD, dim=-1),
            retained_BD=F.normalize(parts_BRD[:, RETAINED], dim=-1),
            roles_BLR=roles_BLR,
        )

    def older_weights(self) -> dict[str, Tensor]:
        """Return what files lack whose weights learned from frames and tokens of any length."""
        return {"length": torch.zeros(())}

    def _brought_to(self, length: Tensor | float, rows_BND: Tensor) -> Tensor:
        """The rows at one length; as they are for older weights."""
        return torch.where(self.length > 0, F.normalize(rows_BND, dim=-1) * length, rows_BND)

    def _fuse(
        self, frames_BTW: Tensor, mask_BT: Tensor, tokens_BLW: Tensor, mask_BL: Tensor, roles_BLR: Tensor
    ) -> Tensor:
        retained_BLW = tokens_BLW * roles_BLR[..., RETAINED, None]
        others_BLW = tokens_BLW - retained_BLW + roles_BLR @ self.role_embedding
        fused_BTW = frames_BTW
        for layer in self.fuse_retained:
            fused_BTW = layer(fused_BTW, mask_BT, retained_BLW, mask_BL)
        for layer in self.fuse_others:
            fused_BTW = layer(fused_BTW, mask_BT, others_BLW, mask_BL)
        return self.fc(self.drop_fused(self.norm_out(masked_feature_mean(fused_BTW, mask_BT))))


def _means_by_role(tokens_BLD: Tensor, roles_BLR: Tensor) -> Tensor:
    """Return (B, R, D), the mean of each role's tokens; shorter where they make up less than one token."""
    with torch.autocast(tokens_BLD.device.type, enabled=False):
        sums_BRD = torch.einsum("blr,bld->brd", roles_BLR, tokens_BLD)
    return sums_BRD / roles_BLR.sum(dim=1).clamp(min=1.0).unsqueeze(-1)


def _with_positions(values_BNW: Tensor) -> Tensor:
    """Return the values plus sines and cosines that tell their positions apart."""
    count, width = values_BNW.shape[1:]
    rates_F = torch.exp(torch.arange(0, width, 2) * (-math.log(1000.0) / width))
    angles_NF = torch.arange(count)[:, None] * rates_F
    return values_BNW + torch.cat([angles_NF.sin(), angles_NF.cos()], dim=-1).to(values_BNW)

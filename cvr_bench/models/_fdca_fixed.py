"""FDCA as its paper describes it, over real sequences; every parameter has an effect on the ranking or the losses.

Each token of the text looks at the frames of the reference video and gets three roles, which add up to one: retained
(it is in the video and stays), injected, excluded. The sequence branch fuses the frames with the retained tokens, then
with the others; the token branch adds to the video what is injected and takes away what is excluded. The query is the
mean of the two.
"""

# Shapes: B queries, T frames, L tokens (both padded), D embedding, W width, R roles.

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models._attention import Attention, CrossLayer
from cvr_data.encoders._protocol import TextFeatures, VideoFeatures

RETAINED, INJECTED, EXCLUDED = range(3)
MAX_SCALE = 100.0


@dataclass(frozen=True)
class Composed:
    """What a batch of queries becomes; each unit length, but for the roles."""

    query_BD: Tensor
    """The mean of both branches, or the sequence branch alone: what retrieval uses."""
    sequence_BD: Tensor
    token_BD: Tensor
    retained_BD: Tensor
    roles_BLR: Tensor


class FixedFdca(nn.Module):
    """Frames and tokens -> query embedding in the space of the gallery's mean frames.

    Args:
        dim: of the embeddings of frames and tokens.
        width: inside the model, a multiple of `heads`.
        depth: layers of each of the two fusions.
        heads: of every attention.
        dropout: everywhere.
        temperature: at the start; it is learned.
        token_branch: whether the query is the mean of both branches.
    """

    def __init__(
        self, dim: int, *, width: int, depth: int, heads: int, dropout: float, temperature: float, token_branch: bool
    ):
        super().__init__()
        self.token_branch = token_branch
        self.frame_in, self.token_in = nn.Linear(dim, width), nn.Linear(dim, width)
        self.look = Attention(width, heads, dropout)
        self.norm_token, self.norm_frame, self.norm_role, self.norm_out = (nn.LayerNorm(width) for _ in range(4))
        self.role = nn.Linear(width, 3)
        self.role_embedding = nn.Parameter(torch.randn(3, width) * 0.02)
        self.fuse_retained = nn.ModuleList(CrossLayer(width, heads, dropout) for _ in range(depth))
        self.fuse_others = nn.ModuleList(CrossLayer(width, heads, dropout) for _ in range(depth))
        self.fc = nn.Linear(width, dim)
        self.balance = nn.Linear(width, 1)
        self.of_role = nn.ModuleList(nn.Linear(dim, dim) for _ in range(3))
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))
        for layer in self.of_role:
            nn.init.eye_(layer.weight)
            nn.init.zeros_(layer.bias)

    @property
    def scale(self) -> Tensor:
        """What similarities are multiplied by: one over the learned temperature."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)

    def forward(self, reference: VideoFeatures, text: TextFeatures) -> Composed:
        """Return the composition of each reference and text."""
        frames_BTW = self.frame_in(reference.frames_BTD)
        frames_BTW = frames_BTW + positions(frames_BTW.shape[1], frames_BTW.shape[2]).to(frames_BTW)
        tokens_BLW = self.token_in(text.tokens_BLD)
        roles_BLR = self._roles(frames_BTW, reference.mask_BT, tokens_BLW)
        video_BD = reference.pooled_BD()
        sequence_BD = self._by_sequence(frames_BTW, reference, tokens_BLW, text, roles_BLR)
        parts = self._parts(text, roles_BLR)
        token_BD = F.normalize((video_BD + parts[INJECTED] - parts[EXCLUDED]).float(), dim=-1)
        query_BD = F.normalize(sequence_BD + token_BD, dim=-1) if self.token_branch else sequence_BD
        return Composed(query_BD, sequence_BD, token_BD, F.normalize(parts[RETAINED].float(), dim=-1), roles_BLR)

    def _roles(self, frames_BTW: Tensor, mask_BT: Tensor, tokens_BLW: Tensor) -> Tensor:
        """How much of each token is retained, injected, excluded, judged by what the frames show."""
        seen_BLW = self.look(self.norm_token(tokens_BLW), self.norm_frame(frames_BTW), mask_BT)
        return self.role(self.norm_role(tokens_BLW + seen_BLW)).float().softmax(dim=-1)

    def _by_sequence(
        self, frames_BTW: Tensor, reference: VideoFeatures, tokens_BLW: Tensor, text: TextFeatures, roles_BLR: Tensor
    ) -> Tensor:
        retained_BLW = tokens_BLW * roles_BLR[..., RETAINED, None]
        others_BLW = tokens_BLW - retained_BLW + roles_BLR @ self.role_embedding
        fused_BTW = frames_BTW
        for layer in self.fuse_retained:
            fused_BTW = layer(fused_BTW, reference.mask_BT, retained_BLW, text.mask_BL)
        for layer in self.fuse_others:
            fused_BTW = layer(fused_BTW, reference.mask_BT, others_BLW, text.mask_BL)
        fused_BW = self.norm_out(masked_mean(fused_BTW, reference.mask_BT))
        share_B1 = self.balance(fused_BW).sigmoid().to(text.pooled_BD.dtype)
        blended_BD = torch.lerp(reference.pooled_BD(), text.pooled_BD, share_B1)
        return F.normalize((blended_BD + self.fc(fused_BW)).float(), dim=-1)

    def _parts(self, text: TextFeatures, roles_BLR: Tensor) -> list[Tensor]:
        """Per role, the mean of all tokens weighted by it, (B, D)."""
        weights_BLR = roles_BLR * text.mask_BL.unsqueeze(-1)
        means_BRD = (
            torch.einsum("blr,bld->brd", weights_BLR, text.tokens_BLD) / weights_BLR.sum(dim=(1, 2))[:, None, None]
        )
        return [layer(means_BRD[:, role]) for role, layer in enumerate(self.of_role)]


def positions(count: int, width: int) -> Tensor:
    """Return sines and cosines that tell positions apart, (count, width)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(1000.0) / width))
    angles = torch.arange(count)[:, None] * rates[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=-1)[:, :width]


def masked_mean(values_BTW: Tensor, mask_BT: Tensor) -> Tensor:
    """Return the mean over the positions that are not padding, (B, W)."""
    weights_BT1 = mask_BT.unsqueeze(-1).to(values_BTW.dtype)
    return (values_BTW * weights_BT1).sum(dim=1) / weights_BT1.sum(dim=1).clamp(min=1)

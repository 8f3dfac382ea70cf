"""DRL's network behind the encoders: frames are related to each other, then parts of text and video get weights.

Similarities of all texts and videos of a batch are differentiable here; `late_interaction` scores without gradients.

Source: Wang et al., 2022 (https://arxiv.org/abs/2203.07111); parameter names as in github.com/foolwood/DRL.
"""

# Shapes: A texts, B videos, L tokens, T frames, N of either, P of a batch that are no padding, D embedding.

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models.networks.drl.transformer import Cross, FrameLstm, FrameTransformer, part_weights_head
from cvr_bench.models.parts.late_interaction import Parts
from cvr_bench.models.parts.losses import NEGLIGIBLE
from cvr_data.features.encoders.networks.two_towers import end_token_features
from cvr_data.features.protocol import TextFeatures, VideoFeatures

Interaction = Literal["dp", "ti", "wti", "xti"]
Aggregation = Literal["none", "seqLSTM", "seqTransf"]
MAX_SCALE = 100.0
CROSS_DROPOUT = 0.1


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What there is to train."""

    dim: int
    interaction: Interaction
    wti_layers: int
    aggregation: Aggregation
    positions: int
    heads: int
    """Of the Transformers over frames."""
    cross_heads: int
    """Of xti's."""
    temperature: float
    start: Literal["identity", "random"]
    last_token: bool
    """Whether the vector of a text is its last token, as released, or the one its encoder gives."""


class DrlNetwork(nn.Module):
    """Features -> parts with weights, or (xti) the score of a pair."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture, dim = architecture, architecture.dim
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / architecture.temperature)))
        if architecture.interaction == "wti":
            self.text_weight_fc = part_weights_head(dim, architecture.wti_layers)
            self.video_weight_fc = part_weights_head(dim, architecture.wti_layers)
        if architecture.interaction == "xti":
            self.cross = Cross(
                dim, positions=architecture.positions, heads=architecture.cross_heads, dropout=CROSS_DROPOUT
            )
            self.similarity_dense = nn.Linear(dim, 1)
            nn.init.normal_(self.similarity_dense.weight, std=0.02)
        self.frames: nn.Module | None = None
        if architecture.aggregation == "seqLSTM":
            self.frames = FrameLstm(dim)
        elif architecture.aggregation == "seqTransf":
            self.frames = FrameTransformer(
                dim, positions=architecture.positions, heads=architecture.heads, start=architecture.start
            )

    @property
    def scale(self) -> Tensor:
        """What scores are multiplied by in training: one over the learned temperature."""
        return self.logit_scale.exp()

    def limit_scale(self) -> None:
        """Bring the scale back to at most 100; a clamp of its value would leave it without a gradient there."""
        with torch.no_grad():
            self.logit_scale.clamp_(max=math.log(MAX_SCALE))

    def text_parts(self, text: TextFeatures) -> Parts:
        """Return the unit tokens of each text; for dp and xti its one vector."""
        if self.architecture.interaction in ("dp", "xti"):
            one_A1 = text.mask_BL.new_ones(len(text.mask_BL), 1)
            last_token = self.architecture.last_token
            vector_AD = end_token_features(text.tokens_BLD, text.mask_BL) if last_token else text.pooled_BD
            vector_A1D = vector_AD.unsqueeze(1)
            if self.architecture.interaction == "dp":
                vector_A1D = F.normalize(vector_A1D, dim=-1)
            return Parts(vector_A1D, one_A1, one_A1.to(vector_A1D.dtype))
        return self._weighted(text.tokens_BLD, text.mask_BL, "text_weight_fc")

    def video_parts(self, video: VideoFeatures) -> Parts:
        """Return the unit frames of each video; for dp their mean, for xti the frames as they are."""
        frames_BTD = video.frames_BTD if self.frames is None else self.frames(video.frames_BTD, video.mask_BT)
        if self.architecture.interaction == "xti":
            return Parts(frames_BTD, video.mask_BT, video.mask_BT.to(frames_BTD.dtype))
        if self.architecture.interaction == "dp":
            unit_BTD = F.normalize(frames_BTD, dim=-1) * video.mask_BT.unsqueeze(-1)
            mean_B1D = F.normalize(unit_BTD.sum(dim=1, keepdim=True), dim=-1)
            one_B1 = video.mask_BT.new_ones(len(video.mask_BT), 1)
            return Parts(mean_B1D, one_B1, one_B1.to(mean_B1D.dtype))
        return self._weighted(frames_BTD, video.mask_BT, "video_weight_fc")

    def pair_scores(self, text_BD: Tensor, frames_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Return xti's score_B of a text with its video."""
        return self.similarity_dense(self.cross(text_BD, frames_BTD, mask_BT)).squeeze(-1)

    def _weighted(self, parts_BND: Tensor, mask_BN: Tensor, head: str) -> Parts:
        """Unit parts; their weights are equal for ti, and learned from the parts before normalisation for wti."""
        if self.architecture.interaction == "wti":
            logits_P = getattr(self, head)(parts_BND[mask_BN]).squeeze(-1).float()
            hidden_BN = logits_P.new_full(mask_BN.shape, NEGLIGIBLE)
            weights_BN = hidden_BN.masked_scatter(mask_BN, logits_P).softmax(dim=-1)
        else:
            weights_BN = mask_BN / mask_BN.sum(dim=1, keepdim=True)
        return Parts(F.normalize(parts_BND, dim=-1), mask_BN, weights_BN * mask_BN)


def drl_matches(text: Parts, video: Parts, *, zero_mask: bool) -> Tensor:
    """Return cosines_ALBT of all tokens and frames; what is padded never wins, or (`zero_mask`) counts as 0."""
    (texts, length, dim), (videos, frames, _) = text.vectors_BND.shape, video.vectors_BND.shape
    with torch.autocast(text.vectors_BND.device.type, enabled=False):
        flat = text.vectors_BND.float().reshape(-1, dim) @ video.vectors_BND.float().reshape(-1, dim).T
    found_ALBT = flat.view(texts, length, videos, frames)
    valid_ALBT = text.mask_BN[:, :, None, None] & video.mask_BN[None, None]
    return found_ALBT.masked_fill(~valid_ALBT, 0.0 if zero_mask else NEGLIGIBLE)


def drl_pooled(found_ALBT: Tensor, text: Parts, video: Parts) -> Tensor:
    """Return scores_AB: half the weighted best frames of the tokens, half the weighted best tokens of the frames.

    What is padded has weight 0, whatever its best match.
    """
    best_frame_ALB, best_token_ABT = found_ALBT.amax(dim=3), found_ALBT.amax(dim=1)
    of_tokens_AB = torch.einsum("alb,al->ab", best_frame_ALB, text.weights_BN)
    return (of_tokens_AB + torch.einsum("abt,bt->ab", best_token_ABT, video.weights_BN)) / 2


def drl_with_floor(parts: Parts, is_padded_B: Tensor) -> Parts:
    """Return parts with a zero vector of no weight in the items that the released code pads: best matches of 0 or more.

    It is the first one, since padding comes last.
    """
    (count, _, dim), mask_BN = parts.vectors_BND.shape, parts.mask_BN
    return Parts(
        torch.cat([parts.vectors_BND.new_zeros(count, 1, dim), parts.vectors_BND], dim=1),
        torch.cat([is_padded_B.unsqueeze(1), mask_BN], dim=1),
        torch.cat([parts.weights_BN.new_zeros(count, 1), parts.weights_BN], dim=1),
    )

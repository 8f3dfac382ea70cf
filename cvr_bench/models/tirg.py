"""Edit the mean frame embedding with TIRG's gate and residual, both computed from video and text together.

Source: Vo et al., "Composing text and image for image retrieval", CVPR 2019 (https://arxiv.org/abs/1812.07119), on
frozen features as the baselines of FashionIQ and CIRR have it; the start of the two shares (1 and 10) and of the scale
(4) are those of the authors' code, github.com/google/tirg. A video is the mean of its frames. `fixed` mode reads mean
frame and text at unit length, `faithful` as the network projects them (`cvr embed -o normalise=false`). In training the
loss of `fixed` goes both ways, the scale starts at a usual temperature instead of 1/4, and false negatives are left
out.
"""

# Shapes: B triplets, D embedding.

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models.parts.device import model_random_generators
from cvr_bench.models.parts.pooled import pooled_retriever_with_checkpoint
from cvr_bench.models.parts.retriever import DenseRetriever, check_released_model_frames, check_retriever_space
from cvr_bench.models.parts.weights import Start
from cvr_data.core.ranges import TEMPERATURE, option_range
from cvr_data.features.protocol import Encoder

GATE_SHARE, RESIDUAL_SHARE = 1.0, 10.0
REFERENCE_SCALE = 4.0
MAX_SCALE = 100.0


@dataclass(frozen=True, kw_only=True)
class Config(Start):
    mode: Literal["fixed", "faithful"] = "fixed"
    """`faithful` trains as released: queries to targets only, every other target a negative, a scale from 4."""
    temperature: float = field(default=0.07, metadata=option_range(TEMPERATURE))
    """Of `fixed`, at the start; it is learned."""


TINY = Config()


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    check_retriever_space(encoder, "tirg")
    if config.mode == "faithful":
        check_released_model_frames(encoder, "tirg", unit=False)
    is_faithful = config.mode == "faithful"
    with model_random_generators(config.seed):
        module = Tirg(encoder.dim, scale=REFERENCE_SCALE if is_faithful else 1 / config.temperature)
    return pooled_retriever_with_checkpoint(encoder, module, config.checkpoint, as_released=is_faithful)


class Tirg(nn.Module):
    """(video, text) -> query embedding: a gated video plus a residual; `scale`, of similarities, is learned."""

    def __init__(self, dim: int, *, scale: float):
        super().__init__()
        self.gate = nn.Sequential(nn.BatchNorm1d(2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
        self.residual = nn.Sequential(
            nn.BatchNorm1d(2 * dim), nn.ReLU(), nn.Linear(2 * dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim)
        )
        self.gate_share = nn.Parameter(torch.tensor(GATE_SHARE))
        self.residual_share = nn.Parameter(torch.tensor(RESIDUAL_SHARE))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    @property
    def scale(self) -> Tensor:
        """What similarities are multiplied by."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)

    def forward(self, video_BD: Tensor, text_BD: Tensor) -> Tensor:
        """Return query_BD, unit length."""
        both_BE = torch.cat([video_BD, text_BD], dim=-1)
        gated_BD = self.gate(both_BE).sigmoid() * video_BD
        return F.normalize((self.gate_share * gated_BD + self.residual_share * self.residual(both_BE)).float(), dim=-1)

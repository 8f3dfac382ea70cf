"""Combine mean frame and text embedding with CLIP4Cir's Combiner: a gated sum plus a learned part.

Source: Baldrati et al., "Conditioned and composed image retrieval combining and partially fine-tuning CLIP-based
features", CVPRW 2022, and TOMM 2023 (https://arxiv.org/abs/2308.11485); parameter names as in the code
github.com/ABaldrati/CLIP4Cir, so its published weights load. A video is the mean of its frames; `fixed` mode reads
mean frame and text at unit length; `faithful` as CLIP projects them, of any length, as released (`cvr embed -o
normalise=false`). In training the loss of `fixed` goes both ways, with a learned temperature, and leaves out false
negatives.
"""

# Shapes: B triplets, D embedding, P projection.

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models.parts.device import model_random_generators
from cvr_bench.models.parts.pooled import pooled_retriever_with_checkpoint
from cvr_bench.models.parts.retriever import DenseRetriever, check_released_model_frames, check_retriever_space
from cvr_bench.models.parts.weights import Start
from cvr_data.core.ranges import SHARE, SIZE, TEMPERATURE, option_range
from cvr_data.features.protocol import Encoder

LOGIT_SCALE = 100.0


@dataclass(frozen=True, kw_only=True)
class Config(Start):
    mode: Literal["fixed", "faithful"] = "fixed"
    """`faithful` trains as released: queries to targets only, every other target a negative, logits times 100."""
    projection: int | None = field(default=None, metadata=option_range(SIZE))
    """Width of either projection; None is 4 times the embedding, as released."""
    hidden: int | None = field(default=None, metadata=option_range(SIZE))
    """Width of the hidden layers; None is 8 times the embedding, as released."""
    dropout: float = field(default=0.5, metadata=option_range(SHARE))
    """As released."""
    temperature: float = field(default=0.07, metadata=option_range(TEMPERATURE))
    """Of `fixed`, at the start; it is learned."""
    checkpoint: Path | None = None
    """Trained weights, ours or the published ones (mode `faithful`); None starts from random ones."""


TINY = Config(projection=4, hidden=4)


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    check_retriever_space(encoder, "combiner")
    if config.mode == "faithful":
        check_released_model_frames(encoder, "combiner", unit=False)
    with model_random_generators(config.seed):
        module = Combiner(
            encoder.dim,
            projection=config.projection or 4 * encoder.dim,
            hidden=config.hidden or 8 * encoder.dim,
            dropout=config.dropout,
            temperature=config.temperature if config.mode == "fixed" else None,
        )
    return pooled_retriever_with_checkpoint(encoder, module, config.checkpoint, as_released=config.mode == "faithful")


class Combiner(nn.Module):
    """(video, text) -> query embedding; a `temperature` is learned, None is a constant scale of 100."""

    def __init__(self, dim: int, *, projection: int, hidden: int, dropout: float, temperature: float | None):
        super().__init__()
        self.text_projection_layer = nn.Linear(dim, projection)
        self.image_projection_layer = nn.Linear(dim, projection)
        self.combiner_layer = nn.Linear(2 * projection, hidden)
        self.output_layer = nn.Linear(hidden, dim)
        self.dynamic_scalar = nn.Sequential(
            nn.Linear(2 * projection, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1), nn.Sigmoid()
        )
        self.drop = nn.Dropout(dropout)
        self.log_scale = None if temperature is None else nn.Parameter(torch.tensor(math.log(1 / temperature)))

    @property
    def scale(self) -> Tensor | float:
        """What similarities are multiplied by."""
        return LOGIT_SCALE if self.log_scale is None else self.log_scale.exp().clamp(max=LOGIT_SCALE)

    def forward(self, video_BD: Tensor, text_BD: Tensor) -> Tensor:
        """Return query_BD, unit length."""
        text_BP = self.drop(F.relu(self.text_projection_layer(text_BD)))
        video_BP = self.drop(F.relu(self.image_projection_layer(video_BD)))
        both_BP = torch.cat([text_BP, video_BP], dim=-1)
        learned_BD = self.output_layer(self.drop(F.relu(self.combiner_layer(both_BP))))
        share_B1 = self.dynamic_scalar(both_BP).to(video_BD.dtype)
        return F.normalize((learned_BD + torch.lerp(video_BD, text_BD, share_B1)).float(), dim=-1)

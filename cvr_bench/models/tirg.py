"""Edit the mean frame embedding with TIRG's gate and residual, both computed from video and text together.

Source: Vo et al., "Composing text and image for image retrieval", CVPR 2019 (https://arxiv.org/abs/1812.07119), on
frozen features as the baselines of FashionIQ and CIRR have it; the start of the two shares (1 and 10) and of the scale
(4) are those of the authors' code, github.com/google/tirg. A video is the mean of its frames. `fixed` mode differs from
`faithful` only in training: the loss goes both ways, the scale starts at a usual temperature instead of 1/4, and false
negatives are left out.
"""

# Shapes: B triplets, D embedding.

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.device import device_of, on_device, seeded
from cvr_bench.models.parts.losses import false_negatives, info_nce, similarities
from cvr_bench.models.parts.retriever import DenseRetriever, Losses, check_one_space
from cvr_bench.models.parts.weights import load_weights
from cvr_bench.tasks.task import Query, modifications, references
from cvr_data.features.protocol import Encoder

GATE_SHARE, RESIDUAL_SHARE = 1.0, 10.0
REFERENCE_SCALE = 4.0
MAX_SCALE = 100.0


@dataclass(frozen=True, kw_only=True)
class Config:
    mode: Literal["fixed", "faithful"] = "fixed"
    """`faithful` trains as released: queries to targets only, every other target a negative, a scale from 4."""
    temperature: float = 0.07
    """Of `fixed`, at the start; it is learned."""
    checkpoint: Path | None = None
    """Trained weights; None starts from random ones."""
    seed: int = 0
    """Of the first weights."""

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}.")


TINY = Config()


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    """Return the model over frozen features.

    Raises:
        CvrError: videos and texts are not in one space, or the checkpoint does not fit.
    """
    check_one_space(encoder, "tirg")
    is_faithful = config.mode == "faithful"
    with seeded(config.seed):
        module = Tirg(encoder.dim, scale=REFERENCE_SCALE if is_faithful else 1 / config.temperature)
    if config.checkpoint is not None:
        load_weights(module, config.checkpoint)

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        device = device_of(module)
        video_BD = encoder.encode_videos(references(queries)).pooled_BD().to(device)
        return module(video_BD, encoder.encode_texts(modifications(queries)).pooled_BD.to(device))

    def training_step(batch: TripletBatch) -> Losses:
        batch = on_device(batch, device_of(module))
        query_BD = batch.joined(module(batch.reference.pooled_BD(), batch.modification.pooled_BD))
        logits_BB = module.scale * similarities(query_BD, batch.joined(batch.target.pooled_BD()))
        if is_faithful:
            return {"loss": info_nce(logits_BB, symmetric=False)}
        ignored_BB = false_negatives(batch.joined_ids(batch.target_ids), batch.joined_ids(batch.target_group_ids))
        return {"loss": info_nce(logits_BB, ignored_BB.to(logits_BB.device))}

    return DenseRetriever(
        encode_queries,
        lambda videos: encoder.encode_videos(videos).pooled_BD(),
        module=module,
        training_step=training_step,
    )


class Tirg(nn.Module):
    """(video, text) -> query embedding: a gated video plus a residual.

    Args:
        dim: of both embeddings.
        scale: what similarities are multiplied by, at the start.
    """

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

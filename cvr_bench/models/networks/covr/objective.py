"""Targets and losses of the CoVR family: frozen target features, pooled over frames, and HN-NCE against them.

Source: Ventura et al., AAAI 2024 and TPAMI 2024 (https://arxiv.org/abs/2308.14746), configs/model of
https://github.com/lucas-ventura/CoVR.
"""

# Shapes: B triplets, T frames, D embedding; features may have query tokens, (B, T, K, D), as well.

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_bench.models.networks.covr.config import CovrConfig, Pooling
from cvr_bench.models.networks.covr.inputs import model_input_middle_frame
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.frame_weights import frame_weighted_mean
from cvr_bench.models.parts.losses import hn_nce, info_nce, loss_similarities
from cvr_data.core.errors import CvrError
from cvr_data.features.protocol import Encoder, VideoFeatures
from cvr_data.media.video import Video


def covr_pooled(
    features: VideoFeatures, pooling: Pooling, frame_scores: Sequence[Sequence[float] | None] = ()
) -> Tensor:
    """Return one row per video, (B, D), not normalised.

    Args:
        features: of the frames.
        pooling: the mean frame, the middle one, or the mean weighted by softmax(frame_scores / 0.1).
        frame_scores: one list per video; where there is none, or not one score per frame, frames weigh the same.
    """
    if pooling == "middle":
        return model_input_middle_frame(features)
    scores = frame_scores if pooling == "query" and frame_scores else [()] * len(features.mask_BT)
    rows = zip(features.frames_BTD, features.mask_BT, scores, strict=True)
    return torch.cat([frame_weighted_mean(frames_TD[mask_T], given or ()) for frames_TD, mask_T, given in rows])


@dataclass(frozen=True)
class Objective:
    """How far a batch of queries is from its targets."""

    config: CovrConfig

    def __call__(self, query_BD: Tensor, target_BD: Tensor, batch: TripletBatch) -> Tensor:
        """Return the loss; `faithful` divides along the published axis and takes every other target for a negative."""
        config, target_BD = self.config, batch.joined(target_BD.to(query_BD.device))
        logits_BB = loss_similarities(batch.joined(query_BD), target_BD) / config.temperature
        if config.is_faithful:
            return hn_nce(logits_BB, reference_axis=True) if config.loss == "hn-nce" else info_nce(logits_BB)
        ignored_BB = batch.ignored().to(logits_BB.device)
        return hn_nce(logits_BB, ignored_BB) if config.loss == "hn-nce" else info_nce(logits_BB, ignored_BB)


def covr_gallery_encoder(encoder: Encoder, pooling: Pooling) -> Callable[[Sequence[Video]], Tensor]:
    """Return what embeds gallery videos: their pooled frames, unit length."""
    return lambda videos: F.normalize(covr_pooled(encoder.encode_videos(videos), pooling), dim=-1)


def covr_targets(batch: TripletBatch, pooling: Pooling) -> Tensor:
    """Return target_BD, unit length."""
    frame_scores = batch.extra.get("frame_scores") or [None] * len(batch.target_ids)
    return F.normalize(covr_pooled(batch.target, pooling, frame_scores), dim=-1)


def covr_model_queries_in_parts(count: int, size: int, encode: Callable[[slice], Tensor]) -> Tensor:
    """Return the rows of `count` queries, `size` of which are encoded at once."""
    parts = [encode(slice(start, start + size)).cpu() for start in range(0, count, size)]
    return torch.cat(parts) if parts else torch.empty(0, 0)


def covr_loss_column(batch: TripletBatch, name: str, model: str, option: str) -> list[Any]:
    """Return a column of the triplets that a loss needs. Raises CvrError: the triplets lack it, or a row does."""
    values = batch.extra.get(name)
    if values is None or any(value is None for value in values):
        raise CvrError(f"{model} needs the {name} of every triplet to train on; leave it out with -o {option}.")
    return values

"""Add to the reference what the text injects, take away what it excludes, and correct the sum by two layers.

A model of our own on stored features, lighter than `fdca`; docs/training.md has what it gains, and what it does not.

- Each token of the text looks once at the other tokens and at the frames, and is retained, injected or excluded; the
  three add up to one. A query is the mean frame plus what is injected, minus what is excluded, plus a correction
  from these and the whole text. The roles and the sum are those of FDCA; its fusions over sequences, the loss of
  retained texts and the view without negation are left out.
- In training, noise is added to the features of references and targets, alike for all frames of a video: where heads or
  encoders were trained on the same videos, their features fit their texts better than those of any other video.
- A mean of frames tells a motion from its reverse by no more than a mean shows. `-o motion=16` adds, to references and
  targets alike, how the quarters of frames change over time; features for it are made with `cvr embed --all-tokens`.
"""

# Shapes: B queries, T frames, L tokens (both padded), D embedding, W width, R roles, P quarters, C curves.

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models.networks.fdca.fixed import (  # renamed, they would make every trained fdca another model
    EXCLUDED,
    INJECTED,
    MAX_SCALE,
    CrossLayer,
    _means_by_role,
    _with_positions,
)
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.device import model_inputs_on_device, model_random_generators, network_device
from cvr_bench.models.parts.losses import info_nce, loss_similarities
from cvr_bench.models.parts.retriever import DenseRetriever, Losses, check_retriever_space
from cvr_bench.models.parts.weights import Start, load_model_weights
from cvr_bench.tasks.task import Query, task_modifications, task_references
from cvr_data.core.errors import CvrError
from cvr_data.core.ranges import NOT_NEGATIVE, SHARE, SIZE, TEMPERATURE, option_range
from cvr_data.features.protocol import Encoder, TextFeatures, VideoFeatures, video_token_features
from cvr_data.media.video import Video

CURVES = 3
"""How finely a change over time is told: waves of one half of a period to three halves over a video."""
QUARTERS = 4
"""Tokens of a frame that `embedded` gives, averages over its quarters."""


@dataclass(frozen=True, kw_only=True)
class Config(Start):
    width: int = field(default=64, metadata=option_range(SIZE))
    """Of tokens and hidden layers."""
    heads: int = field(default=4, metadata=option_range(SIZE))
    """Attention heads."""
    noise: float = field(default=0.5, metadata=option_range(NOT_NEGATIVE))
    """Length of what is added to features in training, of their own."""
    dropout: float = field(default=0.1, metadata=option_range(SHARE))
    """Where roles are found."""
    fusion_dropout: float = field(default=0.5, metadata=option_range(SHARE))
    """In the correction, and where motion is added."""
    motion: int = field(default=0, metadata=option_range(NOT_NEGATIVE))
    """Width of what is read of how the quarters of frames change over time (`cvr embed --all-tokens`); 0 reads none."""
    motion_noise: float = field(default=1.0, metadata=option_range(NOT_NEGATIVE))
    """As `noise`, added to each quarter of each frame by itself; without `motion` nothing is."""
    temperature: float = field(default=0.07, metadata=option_range(TEMPERATURE))
    """At the start; it is learned."""

    def __post_init__(self) -> None:
        if self.width % self.heads or self.width % 2:
            raise ValueError(f"width must be even and a multiple of heads, got {self.width} and {self.heads}.")


TINY = Config(width=8, heads=2)


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    check_retriever_space(encoder, "composer")
    with model_random_generators(config.seed):
        module = Composer(encoder.dim, config)
    load_model_weights(module, config.checkpoint)

    def quarters_of(videos: Sequence[Video]) -> VideoFeatures | None:
        return model_inputs_on_device(_quarters(encoder, videos), network_device(module)) if config.motion else None

    def encode_videos(videos: Sequence[Video]) -> Tensor:
        return module.video(
            model_inputs_on_device(encoder.encode_videos(videos), network_device(module)), quarters_of(videos)
        )

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        device, videos = network_device(module), task_references(queries)
        reference = model_inputs_on_device(encoder.encode_videos(videos), device)
        text = model_inputs_on_device(encoder.encode_texts(task_modifications(queries)), device)
        return module(reference, text, quarters_of(videos))

    def training_step(batch: TripletBatch) -> Losses:
        batch = model_inputs_on_device(batch, network_device(module))
        query_BD = module(batch.reference, batch.modification, quarters_of(batch.references))
        target_BD = module.video(batch.target, quarters_of(batch.targets))
        logits_BB = module.scale * loss_similarities(batch.joined(query_BD), batch.joined(target_BD))
        return {"loss": info_nce(logits_BB, batch.ignored().to(logits_BB.device))}

    return DenseRetriever(encode_queries, encode_videos, module=module, training_step=training_step)


class Composer(nn.Module):
    """Frames and tokens, both `dim` wide -> embeddings of queries and videos, as wide."""

    def __init__(self, dim: int, config: Config):
        super().__init__()
        width, drop = config.width, config.fusion_dropout
        # what a linear layer reads then has a variance of about 1
        self.noise, self.length = config.noise, float(dim) ** 0.5
        self.frame_in, self.token_in = nn.Linear(dim, width), nn.Linear(dim, width)
        self.look, self.norm = CrossLayer(width, config.heads, config.dropout), nn.LayerNorm(width)
        self.role, self.gains = nn.Linear(width, 3), nn.Parameter(torch.ones(2))
        first, last = nn.Linear(4 * dim, 2 * width), nn.Linear(2 * width, dim)
        self.correct = nn.Sequential(nn.Dropout(drop), first, nn.GELU(), nn.Dropout(drop), last)
        self.drop = nn.Dropout(config.dropout)
        self.motion = Motion(dim, config) if config.motion else None
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / config.temperature)))
        for parameter in self.role.parameters():
            nn.init.zeros_(parameter)  # roles that start out unequal tend to stay as they are
        with torch.no_grad():
            last.weight.mul_(0.1)  # a correction: what tokens say leads

    @property
    def scale(self) -> Tensor:
        """What similarities are multiplied by: one over the learned temperature."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)

    def noisy(self, features: VideoFeatures) -> VideoFeatures:
        """Return frames of unit length; in training with noise, the same for all frames of a video."""
        frames_BTD = F.normalize(features.frames_BTD, dim=-1)
        if self.training and self.noise:
            noise_B1D = torch.randn_like(frames_BTD[:, :1]) * (self.noise / self.length)
            frames_BTD = (frames_BTD + noise_B1D) * features.mask_BT.unsqueeze(-1)
        return VideoFeatures(frames_BTD, features.mask_BT)

    def video(self, features: VideoFeatures, quarters: VideoFeatures | None = None) -> Tensor:
        """Return the embedding of gallery videos or targets, unit length."""
        return self._moving(self.noisy(features), quarters)

    def _moving(self, frames: VideoFeatures, quarters: VideoFeatures | None) -> Tensor:
        video_BD = frames.pooled_BD()
        if self.motion is None:
            return video_BD
        assert quarters is not None  # whoever reads motion is given it
        return F.normalize(video_BD + self.motion(quarters), dim=-1)

    def forward(self, reference: VideoFeatures, text: TextFeatures, quarters: VideoFeatures | None = None) -> Tensor:
        """Return the embedding of queries, unit length; how long frames and tokens are has no influence."""
        reference, tokens_BLD = self.noisy(reference), F.normalize(text.tokens_BLD, dim=-1)
        video_BD, roles_BLR = self._moving(reference, quarters), self._roles(reference, tokens_BLD, text.mask_BL)
        parts_BRD = _means_by_role(tokens_BLD, roles_BLR)
        injected_BD, excluded_BD = parts_BRD[:, INJECTED], parts_BRD[:, EXCLUDED]
        known = torch.cat([video_BD, text.pooled_BD, injected_BD, excluded_BD], dim=-1)
        added, taken = self.gains
        query_BD = video_BD + added * injected_BD - taken * excluded_BD
        return F.normalize(query_BD + self.correct(known * self.length).float(), dim=-1)

    def _roles(self, reference: VideoFeatures, tokens_BLD: Tensor, mask_BL: Tensor) -> Tensor:
        frames_BTW = _with_positions(self.frame_in(self.drop(reference.frames_BTD * self.length)))
        tokens_BLW = _with_positions(self.token_in(self.drop(tokens_BLD * self.length)))
        seen_BLW = self.look(tokens_BLW, mask_BL, frames_BTW, reference.mask_BT)
        return self.role(self.norm(seen_BLW)).float().softmax(dim=-1) * mask_BL.unsqueeze(-1)


class Motion(nn.Module):
    """How the quarters of frames change over time -> what that adds to the embedding of a video.

    A mean over a frame hides where in it something is, and so which way it goes. All that stands still gets the same.
    """

    def __init__(self, dim: int, config: Config):
        super().__init__()
        self.noise, self.length = config.motion_noise, float(dim) ** 0.5
        self.quarter_in, self.drop = nn.Linear(dim, config.motion, bias=False), nn.Dropout(config.fusion_dropout)
        self.out = nn.Linear(QUARTERS * CURVES * config.motion, dim)
        with torch.no_grad():
            self.out.weight.mul_(0.1)  # an addition: the mean frame leads

    def forward(self, quarters: VideoFeatures) -> Tensor:
        """Return what is added to each video, (B, D)."""
        quarters_BTPD = F.normalize(quarters.frames_BTD, dim=-1) * self.length
        if self.training and self.noise:
            quarters_BTPD = quarters_BTPD + torch.randn_like(quarters_BTPD) * self.noise
        changes_BCPW = torch.einsum("bct,btpw->bcpw", _curves(quarters.mask_BT), self.quarter_in(quarters_BTPD))
        return self.out(self.drop(changes_BCPW.flatten(1)))


def _curves(mask_BT: Tensor) -> Tensor:
    """Return curves_BCT, cosines over the frames of each video; each adds up to zero, and is zero if frames are few."""
    count_B11 = mask_BT.sum(dim=1)[:, None, None]
    places_T = torch.arange(mask_BT.shape[1], device=mask_BT.device)
    halves_C1 = torch.arange(1, CURVES + 1, device=mask_BT.device)[:, None]
    curves_BCT = (halves_C1 * (places_T + 0.5) * math.pi / count_B11).cos()
    return curves_BCT * mask_BT.unsqueeze(1) * (halves_C1 < count_B11) / count_B11


def _quarters(encoder: Encoder, videos: Sequence[Video]) -> VideoFeatures:
    quarters = video_token_features(encoder, videos)
    shape = tuple(quarters.frames_BTD.shape[2:])
    if shape != (QUARTERS, encoder.dim):
        raise CvrError(
            f"composer -o motion reads {QUARTERS} tokens of each frame, {encoder.dim} wide, and there are {shape[0]}, "
            f"{shape[1]} wide; make the features again: cvr embed --encoder embedded --all-tokens."
        )
    return quarters

"""DRL as a retriever over frozen features; `drl` and `clip4clip` are this model under the options of each."""

# Shapes: A texts, B videos, N parts, D embedding.

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_bench.models.networks.drl.clip_layers import copy_text_layers
from cvr_bench.models.networks.drl.losses import BatchScores, Cdcr, batch_scores, cdcr_loss, contrastive
from cvr_bench.models.networks.drl.network import Aggregation, Architecture, DrlNetwork, Interaction, with_floor
from cvr_bench.models.networks.drl.retriever import LateRetriever, cross_block, vector_retriever
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.device import device_of, on_device, seeded
from cvr_bench.models.parts.late_interaction import Parts
from cvr_bench.models.parts.losses import false_negatives
from cvr_bench.models.parts.retriever import DenseRetriever, Losses
from cvr_bench.models.parts.weights import load_weights
from cvr_data.features.protocol import Encoder
from cvr_data.media.video import Video

HEAD_WIDTH = 64
CROSS_HEADS = 8
"""As released."""
MIN_TEMPERATURE = 0.01
"""CLIP's; the references never go below it."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What both models are made of; `drl.Config` says what each means."""

    faithful: bool
    interaction: Interaction
    wti_layers: int
    aggregation: Aggregation
    cdcr: Cdcr
    cdcr_lambda: float
    temperature: float
    positions: int
    max_words: int
    max_frames: int
    clip: str | None
    checkpoint: Path | None
    seed: int

    @property
    def pads_as_released(self) -> bool:
        """Whether padding can be a best match."""
        return self.faithful and self.interaction in ("ti", "wti")


def load_drl(options: Options, encoder: Encoder) -> LateRetriever | DenseRetriever:
    """Return the model over frozen features.

    Raises:
        CvrError: a checkpoint does not fit.
    """
    with seeded(options.seed):
        network = DrlNetwork(_architecture(options, encoder.dim))
    if options.clip is not None:
        copy_text_layers(options.clip, network)
    if options.checkpoint is not None:
        load_weights(network, options.checkpoint)

    def text_parts(texts: Sequence[str]) -> Parts:
        parts = network.text_parts(on_device(encoder.encode_texts(texts), device_of(network)))
        return _with_released_padding(parts, options.max_words) if options.pads_as_released else parts

    def video_parts(videos: Sequence[Video]) -> Parts:
        parts = network.video_parts(on_device(encoder.encode_videos(videos), device_of(network)))
        return _with_released_padding(parts, options.max_frames) if options.pads_as_released else parts

    def training_step(batch: TripletBatch) -> Losses:
        return _losses(options, network, on_device(batch, device_of(network)))

    if options.interaction == "dp":
        return vector_retriever(network, text_parts, video_parts, training_step)
    block = cross_block(network) if options.interaction == "xti" else None
    return LateRetriever(network, text_parts, video_parts, training_step, block)


def _architecture(options: Options, dim: int) -> Architecture:
    heads = math.gcd(dim, max(1, dim // HEAD_WIDTH))
    return Architecture(
        dim=dim,
        interaction=options.interaction,
        wti_layers=options.wti_layers,
        aggregation=options.aggregation,
        positions=options.positions,
        heads=heads,
        cross_heads=math.gcd(dim, CROSS_HEADS) if options.faithful else heads,
        temperature=options.temperature,
        start="random" if options.faithful else "identity",
        last_token=options.faithful,
    )


@dataclass(frozen=True)
class Compared:
    """A batch of texts and videos, and their scores."""

    text: Parts
    video: Parts
    scores: BatchScores


def compare_batch(options: Options, network: DrlNetwork, batch: TripletBatch) -> Compared:
    """Return the scores of a batch as training sees them."""
    text, video = network.text_parts(batch.modification), network.video_parts(batch.target)
    if options.pads_as_released:
        text, video = _padded(text, options.max_words), _padded(video, options.max_frames)
    text, video = _joined(batch, text), _joined(batch, video)
    scores = batch_scores(network, text, video, zero_mask=options.faithful, two_passes=options.faithful)
    return Compared(text, video, scores)


def _losses(options: Options, network: DrlNetwork, batch: TripletBatch) -> Losses:
    network.limit_scale()
    compared = compare_batch(options, network, batch)
    ignored_BB: Tensor | None = None
    if not options.faithful:
        lists = (batch.target_ids, batch.target_group_ids, batch.modifications)
        ignored_BB = false_negatives(*(batch.joined_ids(values) for values in lists))
        ignored_BB = ignored_BB.to(device_of(network))
    parts = {"similarity": contrastive(compared.scores, network.scale, ignored_BB)}
    if options.cdcr.mode and compared.scores.own is not None:
        loss = cdcr_loss(options.cdcr, compared.text, compared.video, compared.scores.own)
        parts["cdcr"] = options.cdcr_lambda * loss
    return {"loss": torch.stack(list(parts.values())).sum(), **parts}


def _with_released_padding(parts: Parts, count: int) -> Parts:
    """Parts whose best matches are those of the released code, which pads every item to `count`."""
    return with_floor(parts, parts.mask_BN.sum(dim=1) < count)


def _joined(batch: TripletBatch, parts: Parts) -> Parts:
    """The same of all devices and chunks that share the batch."""
    return Parts(batch.joined(parts.vectors_BND), batch.joined(parts.mask_BN), batch.joined(parts.weights_BN))


def _padded(parts: Parts, count: int) -> Parts:
    """The same parts, padded with zeros to `count` at least."""
    more = max(0, count - parts.mask_BN.shape[1])
    return Parts(
        F.pad(parts.vectors_BND, (0, 0, 0, more)), F.pad(parts.mask_BN, (0, more)), F.pad(parts.weights_BN, (0, more))
    )

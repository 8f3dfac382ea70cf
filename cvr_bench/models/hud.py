"""Read text and reference with BLIP-2's Q-Former in three ways, some uncertain, and score whole and parts (HUD).

    cvr bench -m hud                                               # a small network over any features
    cvr bench -m hud -o model=Salesforce/blip2-itm-vit-g-coco -o reference_tokens=image-tokens    # as published

Features, options and late interaction are those of `retrack`, from the same authors' code: `cvr show retrack` says how
to make reference_tokens. A query is embeddings of the whole, one of them certain and some drawn with the deviation that
the network says, and tokens, half of them from drawn query tokens; a target is its tokens and their mean.

As released, noise is drawn in test as well, unseeded, so that no two evaluations agree. Here it is off unless
`test_noise` is its seed; each query then has its own, whatever stands beside it.

`faithful` trains and reads as released; `fixed` (the default) differs from it:

- the gates of a drawn embedding are its own; as released, those of the samples are mixed up;
- padding is no word; as released, it is part of what the text says;
- equal targets and near-duplicates are no negatives; texts are read to the end (as released 64 tokens).

Published weights come from `cvr import-checkpoint -m hud`. No numbers of the released code were at hand to hold this
against: it is written from a description of that code, and tested against the description's formulas.

Source: ACM MM 2025 (https://arxiv.org/abs/2512.02792), "Hierarchical Uncertainty-Aware Disambiguation Network for
Composed Video Retrieval", code github.com/iLearn-Lab/MM25-HUD.
"""

# Shapes: B triplets or queries, N samples, K query tokens, W width of a state, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from zlib import crc32

import torch
from torch import Tensor

from cvr_bench.models.networks.covr.config import QFormerConfig
from cvr_bench.models.networks.covr.hud import NO_NOISE, HudNetwork, Noise
from cvr_bench.models.networks.covr.inputs import AT_ONCE, Inputs, Limits
from cvr_bench.models.networks.covr.late import TokenRetriever
from cvr_bench.models.networks.covr.qformer import build_qformer_network
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.device import network_device
from cvr_bench.models.parts.retriever import Losses
from cvr_bench.models.parts.weights import load_model_weights
from cvr_bench.tasks.task import Query, task_modifications, task_references
from cvr_data.core.ranges import NOT_NEGATIVE, SIZE, option_range
from cvr_data.features.protocol import Encoder
from cvr_data.media.video import Video

AS_PUBLISHED = Limits(words=None, train_tokens=64, test_tokens=64, padded=True)


@dataclass(frozen=True, kw_only=True)
class Config(QFormerConfig):
    samples: int = field(default=4, metadata=option_range(SIZE))
    """Drawn embeddings of the whole, as released."""
    level_weight: float = field(default=0.5, metadata=option_range(NOT_NEGATIVE))
    """Of the loss in which the whole and the parts learn from each other's targets, as released."""
    test_noise: int | None = None
    """Seed of the noise in test, which the released code draws unseeded; None takes means instead."""


TINY = Config(width=8, layers=1, heads=2, queries=2, samples=2)


def load(config: Config, encoder: Encoder) -> TokenRetriever:
    make = partial(HudNetwork, samples=config.samples, as_released=config.is_faithful)
    built = build_qformer_network(config, encoder, config.queries, make)
    network = built.network
    load_model_weights(network, config.checkpoint)
    inputs = Inputs(config, encoder, built, AS_PUBLISHED)

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        words, videos = task_modifications(queries), task_references(queries)
        noise = NO_NOISE
        if config.test_noise is not None:
            names = [f"{config.test_noise} {video.video_id} {text}" for video, text in zip(videos, words, strict=True)]
            noise = _noise(network, len(names), [torch.Generator().manual_seed(crc32(name.encode())) for name in names])
        return network.query(inputs.words(words), inputs.images(videos), noise)

    def encode_videos(videos: Sequence[Video]) -> Tensor:
        return network.target(inputs.images(videos))

    def training_step(batch: TripletBatch) -> Losses:
        noise = _noise(network, len(batch.references)) if network.training else NO_NOISE
        words = inputs.words(batch.modifications, training=True)
        query_BSD = batch.joined(network.query(words, inputs.images(batch.references), noise).float())
        target_BKD = batch.joined(network.target(inputs.images(batch.targets)).float())
        ignored_BB = None if config.is_faithful else batch.ignored().to(query_BSD.device)
        with torch.autocast(query_BSD.device.type, enabled=False):
            parts = network.losses(query_BSD, target_BKD, config.temperature, ignored_BB)
        parts["levels"] = config.level_weight * parts["levels"]
        return {"loss": parts["ranking"] + parts["levels"], **parts}

    return TokenRetriever(
        encode_queries, encode_videos, network.score, module=network, training_step=training_step, at_once=AT_ONCE
    )


def _noise(network: HudNetwork, count: int, generators: Sequence[torch.Generator] = ()) -> Noise:
    """Noise of a batch, holistic first as released; of one generator for each query, or of torch's."""
    device = network_device(network)
    shapes = (network.samples, len(network.text_projection.bias)), network.query_tokens.shape[1:]
    if not generators:
        return Noise(*(torch.randn(count, *shape, device=device) for shape in shapes))
    drawn = [[torch.randn(shape, generator=generator) for shape in shapes] for generator in generators]
    return Noise(*(torch.stack(rows).to(device) for rows in zip(*drawn, strict=True)))

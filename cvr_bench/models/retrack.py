"""Train BLIP-2's Q-Former on queries and targets alike, and score token by token with learned weights (ReTrack).

    cvr bench -m retrack                                               # a small network over any features
    cvr bench -m retrack -o model=Salesforce/blip2-itm-vit-g-coco -o reference_tokens=image-tokens    # as published

With `model` the vision network is frozen, as published, and frames are not augmented: references and targets are their
middle frames, embedded by `cvr embed --encoder blip2 -o tokens=states -o fit=padded -o sampler=middle --frames 1
--all-tokens` into a folder (reference_tokens). Without `model` the network is small and starts from nothing: its words
are the stored tokens of the text, its image tokens the frames.

A query is the Q-Former's tokens of text and reference together, a target those of its image alone. The score weighs
each query token's best target token. Two more losses, which nothing in retrieval uses, compare the query's direction
with that to the target, and what reference and text say alone with the scores.

`faithful` trains and reads as released; `fixed` (the default) differs from it:

- a triplet's anchors depend on it alone; as released, on which others are in its batch and in what order, and a batch
  has exactly 64;
- the direction to a candidate starts at the query; as released, at the candidate's own query;
- the evidence of negatives is compared with their scores; as released, that of right targets with zero as well;
- equal targets and near-duplicates are no negatives; texts are read to the end (as released 64 tokens).

Published weights come from `cvr import-checkpoint -m retrack`; those that nothing depends on are left out.

Source: AAAI 2026, "Evidence-Driven Dual-Stream Directional Anchor Calibration Network for Composed Video Retrieval",
code github.com/Lee-zixu/ReTrack.
"""

# Shapes: B triplets.

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from cvr_bench.models.networks.covr.config import QFormerConfig
from cvr_bench.models.networks.covr.inputs import AT_ONCE, Inputs, Limits
from cvr_bench.models.networks.covr.late import TokenRetriever
from cvr_bench.models.networks.covr.qformer import build_qformer_network
from cvr_bench.models.networks.covr.retrack import (
    RetrackNetwork,
    released_losses,
    retrack_fixed_losses,
    retrack_loss_inputs,
)
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.joining import Recorded
from cvr_bench.models.parts.retriever import Losses
from cvr_bench.models.parts.weights import load_model_weights
from cvr_bench.tasks.task import Query, task_modifications, task_references
from cvr_data.core.errors import CvrError
from cvr_data.core.ranges import NOT_NEGATIVE, SIZE, option_range
from cvr_data.features.protocol import Encoder
from cvr_data.media.video import Video

AS_PUBLISHED = Limits(words=None, train_tokens=64, test_tokens=64)


@dataclass(frozen=True, kw_only=True)
class Config(QFormerConfig):
    frames: int = field(default=1, metadata=option_range(SIZE))
    """Frames of a video: 1 is the middle one, as published; more take all stored ones and as many times the tokens."""
    direction_weight: float = field(default=0.5, metadata=option_range(NOT_NEGATIVE))
    """Of the directional loss, as released."""
    evidence_weight: float = field(default=1.0, metadata=option_range(NOT_NEGATIVE))
    """Of the loss that compares evidence and scores, as released."""
    batch: int = field(default=64, metadata=option_range("[2, inf)"))
    """Triplets of a batch in mode `faithful`, which its weights are made for; as released 64."""


TINY = Config(width=8, layers=1, heads=2, queries=2)


def load(config: Config, encoder: Encoder) -> TokenRetriever:
    make = partial(RetrackNetwork, frames=config.frames, batch=config.batch if config.is_faithful else None)
    built = build_qformer_network(config, encoder, config.queries, make)
    network = built.network
    load_model_weights(network, config.checkpoint)
    inputs = Inputs(config, encoder, built, AS_PUBLISHED)
    images = partial(inputs.images, whole=config.frames > 1)

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        return network.query(inputs.words(task_modifications(queries)), images(task_references(queries)))

    def encode_videos(videos: Sequence[Video]) -> Tensor:
        return network.target(images(videos))

    def training_step(batch: TripletBatch) -> Losses:
        words = inputs.words(batch.modifications, training=True)
        encoded = network.encoded(words, images(batch.references), images(batch.targets)).joined(batch.joined)
        if config.is_faithful and isinstance(batch.joining, Recorded):
            return {"loss": encoded.query_BKD.sum() * 0}  # one of the chunks, which has no loss of its own
        if config.is_faithful and len(encoded.query_BKD) != config.batch:
            raise CvrError(
                f"retrack -o mode=faithful learns from batches of exactly {config.batch} triplets, this one has "
                f"{len(encoded.query_BKD)}: -t batch_size and -o batch have to be equal, and no more than there are "
                "triplets (mode=fixed takes any)."
            )
        with torch.autocast(encoded.query_BKD.device.type, enabled=False):
            found = retrack_loss_inputs(network, encoded, config.temperature)
            losses = released_losses(found) if config.is_faithful else retrack_fixed_losses(found, batch.ignored())
        return _weighted(config, losses)

    return TokenRetriever(
        encode_queries, encode_videos, network.score, module=network, training_step=training_step, at_once=AT_ONCE
    )


def _weighted(config: Config, parts: dict[str, Tensor]) -> Losses:
    weights = {"ranking": 1.0, "direction": config.direction_weight}
    losses = {name: weights.get(name, config.evidence_weight / 2) * value for name, value in parts.items()}
    return {"loss": torch.stack(list(losses.values())).sum(), **losses}

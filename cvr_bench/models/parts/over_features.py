"""Retrievers over frozen features: their gallery are the mean frames of videos, or texts, as the encoder gives them."""

# Shapes: B queries or triplets, D embedding.

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.device import device_of, on_device
from cvr_bench.models.parts.losses import info_nce, similarities
from cvr_bench.models.parts.retriever import DenseRetriever, Losses
from cvr_bench.tasks.task import Query, modifications, references
from cvr_data.features.protocol import Encoder


def over_features(
    encoder: Encoder,
    encode_queries: Callable[[Sequence[Query]], Tensor],
    *,
    ranks_texts: bool = False,
    module: nn.Module | None = None,
    training_step: Callable[[TripletBatch], Losses] | None = None,
) -> DenseRetriever:
    """Return the retriever of queries among stored features; `ranks_texts` lets a gallery be of texts."""
    return DenseRetriever(
        encode_queries,
        lambda videos: encoder.encode_videos(videos).pooled_BD(),
        encode_texts=(lambda texts: encoder.encode_texts(texts).pooled_BD) if ranks_texts else None,
        module=module,
        training_step=training_step,
    )


def composing_vectors(encoder: Encoder, module: Any, *, is_faithful: bool) -> DenseRetriever:
    """Return the retriever of a module that makes one vector of a mean frame and a text's vector.

    Args:
        encoder: of both.
        module: (video_BD, text_BD) -> query_BD; its `scale` multiplies similarities in training.
        is_faithful: train from queries to targets only, with every other target a negative, as CLIP4Cir and TIRG do.
    """

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
        return {"loss": info_nce(logits_BB, batch.ignored().to(logits_BB.device))}

    return over_features(encoder, encode_queries, module=module, training_step=training_step)

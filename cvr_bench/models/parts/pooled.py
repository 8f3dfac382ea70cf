"""Models over pooled features: a gallery is of mean frames, a query is composed of one and the vector of a text."""

# Shapes: B queries or triplets, D embedding.

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.device import model_inputs_on_device, network_device
from cvr_bench.models.parts.losses import info_nce, loss_similarities
from cvr_bench.models.parts.retriever import DenseRetriever, Losses
from cvr_bench.models.parts.weights import load_model_weights
from cvr_bench.tasks.task import Query, task_modifications, task_references
from cvr_data.features.protocol import Encoder, TextFeatures, VideoFeatures, masked_feature_mean

Encode = Callable[[Sequence[Query]], Tensor]


def pooled_videos(encoder: Encoder, queries: Sequence[Query]) -> Tensor:
    """Return the mean frames of the references, (B, D)."""
    return encoder.encode_videos(task_references(queries)).pooled_BD()


def model_pooled_texts(encoder: Encoder, queries: Sequence[Query]) -> Tensor:
    """Return the embeddings of the modification texts, (B, D)."""
    return encoder.encode_texts(task_modifications(queries)).pooled_BD


def model_half_queries(encoder: Encoder, queries: Sequence[Query]) -> Tensor | None:
    """Return the text or the video of queries of which none has the other (text-video retrieval), else None."""
    if all(query.reference is None for query in queries):
        return model_pooled_texts(encoder, queries)
    if all(query.modification is None for query in queries):
        return pooled_videos(encoder, queries)
    return None


def pooled_retriever(encoder: Encoder, encode_queries: Encode, **parts: Any) -> DenseRetriever:
    """Return a model whose gallery is of mean frames, or where `encode_texts` is among its `parts` of texts."""
    return DenseRetriever(encode_queries, lambda videos: encoder.encode_videos(videos).pooled_BD(), **parts)


def untrained_retriever(encoder: Encoder, encode_queries: Encode) -> DenseRetriever:
    """Return a model without parameters whose gallery is of mean frames or of texts."""
    return pooled_retriever(encoder, encode_queries, encode_texts=lambda texts: encoder.encode_texts(texts).pooled_BD)


def pooled_retriever_with_checkpoint(
    encoder: Encoder, module: Any, checkpoint: Path | None, *, as_released: bool
) -> DenseRetriever:
    """Return a model whose `module(video_BD, text_BD)` is the query; `module.scale` multiplies similarities.

    What is composed `as_released` is the mean frame and the text as the encoder gives them, of any length, and the loss
    goes from queries to targets only, every other target being a negative; else both are of unit length. A checkpoint
    that does not fit is a CvrError.
    """
    load_model_weights(module, checkpoint)

    def compose(reference: VideoFeatures, text: TextFeatures) -> Tensor:
        if as_released:
            return module(masked_feature_mean(reference.frames_BTD, reference.mask_BT), text.own_BD())
        return module(reference.pooled_BD(), text.pooled_BD)

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        device = network_device(module)
        reference = model_inputs_on_device(encoder.encode_videos(task_references(queries)), device)
        return compose(reference, model_inputs_on_device(encoder.encode_texts(task_modifications(queries)), device))

    def training_step(batch: TripletBatch) -> Losses:
        batch = model_inputs_on_device(batch, network_device(module))
        query_BD = batch.joined(compose(batch.reference, batch.modification))
        scale: Any = module.scale
        logits_BB = scale * loss_similarities(query_BD, batch.joined(batch.target.pooled_BD()))
        if as_released:
            return {"loss": info_nce(logits_BB, symmetric=False)}
        ignored_BB = batch.ignored()
        return {"loss": info_nce(logits_BB, ignored_BB.to(logits_BB.device))}

    return pooled_retriever(encoder, encode_queries, module=module, training_step=training_step)

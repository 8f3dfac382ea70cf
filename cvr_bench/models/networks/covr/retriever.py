"""Networks of the CoVR family as retrievers: queries in parts, targets of pooled frames, a loss against captions."""

# Shapes: B queries, D embedding.

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from cvr_bench.models.networks.covr.config import CovrConfig
from cvr_bench.models.networks.covr.inputs import AT_ONCE
from cvr_bench.models.networks.covr.objective import (
    Objective,
    covr_gallery_encoder,
    covr_loss_column,
    covr_model_queries_in_parts,
)
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.retriever import DenseRetriever, Losses, check_released_model_frames
from cvr_bench.models.parts.weights import load_model_weights
from cvr_bench.tasks.task import Query, task_modifications, task_references
from cvr_data.features.protocol import Encoder
from cvr_data.media.video import Video

Compose = Callable[[Sequence[Video], Sequence[str], Sequence[str | None], bool], Tensor]
"""(references, modification texts, descriptions of references, whether in training) -> what a query is, (B, ...)."""


def covr_retriever(
    config: CovrConfig, encoder: Encoder, module: nn.Module | None, compose: Compose,
    losses: Callable[[Tensor, TripletBatch], Losses], *, reads_image: bool = True, reads_text: bool = True,
) -> DenseRetriever:  # fmt: skip
    """Return the model, with the weights of its checkpoint; without a module it is not trained.

    Raises:
        CvrError: the checkpoint does not fit.
    """
    if config.is_faithful and config.model is not None:
        check_released_model_frames(encoder, config.model, unit=True)
    if module is not None:
        load_model_weights(module, config.checkpoint)

    def training_step(batch: TripletBatch) -> Losses:
        described = batch.extra.get("reference_description") or [None] * len(batch.references)
        return losses(compose(batch.references, batch.modifications, described, True), batch)

    return DenseRetriever(
        lambda queries: covr_composed(queries, compose, reads_image=reads_image, reads_text=reads_text),
        covr_gallery_encoder(encoder, config.pooling),
        module=module,
        training_step=None if module is None else training_step,
    )


def covr_composed(
    queries: Sequence[Query], compose: Compose, *, reads_image: bool = True, reads_text: bool = True
) -> Tensor:
    """Return what is composed of queries, some at once; what is not read, a query need not have."""
    videos = task_references(queries) if reads_image else []
    words = task_modifications(queries) if reads_text else []
    described = [query.description for query in queries]
    return covr_model_queries_in_parts(
        len(queries), AT_ONCE, lambda part: compose(videos[part], words[part], described[part], False)
    )


def covr_target_and_caption_losses(
    model: str, config: CovrConfig, encoder: Encoder, query_BD: Tensor, target_BD: Tensor, batch: TripletBatch, *,
    target_weight: float = 1.0, caption_weight: float,
) -> Losses:  # fmt: skip
    """Return the losses against the targets and, if that weighs anything, against the frozen texts of their captions.

    Raises:
        CvrError: a caption is needed and a triplet has none.
    """
    objective = Objective(config)
    parts = {"target": target_weight * objective(query_BD, target_BD, batch)}
    if caption_weight:
        captions = covr_loss_column(batch, "target_caption", model, "caption_weight=0")
        caption_BD = encoder.encode_texts(captions).pooled_BD
        parts["caption"] = caption_weight * objective(query_BD, caption_BD, batch)
    return {"loss": torch.stack(list(parts.values())).sum(), **parts}

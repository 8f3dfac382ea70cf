"""Tell apart what a text retains, injects and excludes, and fuse it with the reference video (FDCA).

`faithful` gives the numbers of the released code and loads its weights; it reads the text's own feature as CLIP
projects it, of any length. `fixed` (the default) is what the paper
describes; where it differs from the released code:

- tokens look at the frames by cross-attention; as released, the attention has one key, so the video has no influence;
- the two fusions run over frames and tokens; as released, over sequences of length one (30 % of the weights are dead);
- retrieval uses both branches; as released, the token branch is trained and then thrown away;
- every logit has a temperature, learned; losses go both ways; equal targets, near-duplicates and other right targets
  of a query are no negatives; frames and tokens are brought to one length;
- the view without negation drops whole words; as released, letters inside words too (another -> aher);
- the triplet loss counts the rows in which the two views of the text differ; it could not move the others.

Source: Wu et al., ICLR 2025 (https://openreview.net/forum?id=wGa2plE8ka), code github.com/May2333/FDCA.
"""

# Shapes: B triplets, D embedding.

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from cvr_bench.models.networks.fdca.faithful import Composition, FaithfulFdca, FaithfulLosses, TextView
from cvr_bench.models.networks.fdca.fixed import Composed, FixedFdca
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.device import model_inputs_on_device, model_random_generators, network_device
from cvr_bench.models.parts.losses import info_nce, loss_similarities, model_loss_false_negatives, triplet_margin
from cvr_bench.models.parts.pooled import pooled_retriever
from cvr_bench.models.parts.retriever import DenseRetriever, Losses, check_retriever_space
from cvr_bench.models.parts.weights import Start, load_model_weights
from cvr_bench.tasks.task import Query, task_modifications, task_references
from cvr_data.core.ranges import NOT_NEGATIVE, SHARE, SIZE, TEMPERATURE, option_range
from cvr_data.features.protocol import Encoder, TextFeatures, VideoFeatures, masked_feature_mean


@dataclass(frozen=True, kw_only=True)
class Config(Start):
    mode: Literal["fixed", "faithful"] = "fixed"
    """What the paper describes, or what was released."""
    width: int = field(default=64, metadata=option_range(SIZE))
    """Inside the `fixed` network, right for some thousand triplets; the released width follows from the embeddings."""
    heads: int = field(default=4, metadata=option_range(SIZE))
    """Attention heads of `fixed`; as released 8."""
    depth: int | None = field(default=None, metadata=option_range(SIZE))
    """Layers of each of the two fusions; None is 1 for `fixed`, which is enough for some thousand triplets, and 6 for
    `faithful`, as released."""
    dropout: float | None = field(default=None, metadata=option_range(SHARE))
    """Where roles are found; None is 0.1 for `fixed` and 0.5, everywhere, for `faithful`, as released."""
    fusion_dropout: float = field(default=0.5, metadata=option_range(SHARE))
    """In the two fusions of `fixed`; as released."""
    temperature: float = field(default=0.07, metadata=option_range(TEMPERATURE))
    """Of `fixed`, at the start; it is learned."""
    token_branch: bool = True
    """Whether the query of `fixed` has both branches, or the sequence branch alone."""
    token_weight: float = field(default=1.0, metadata=option_range(NOT_NEGATIVE))
    """Of the token branch's loss in `fixed`."""
    retained_weight: float = field(default=0.1, metadata=option_range(NOT_NEGATIVE))
    """Of the loss in `fixed` that has the retained text match the reference video."""
    triplet_weight: float = field(default=1.0, metadata=option_range(NOT_NEGATIVE))
    """Of the loss in `fixed` that keeps the query away from what the text excludes; as released 10."""
    margin: float = field(default=0.2, metadata=option_range(NOT_NEGATIVE))
    """Of that loss, in Euclidean distance of unit vectors; as released."""
    checkpoint: Path | None = None
    """Trained weights, ours or (mode `faithful`) the published ones; None starts from random ones."""

    def __post_init__(self) -> None:
        if self.width % self.heads or self.width % 2:
            raise ValueError(f"width must be even and a multiple of heads, got {self.width} and {self.heads}.")


TINY = Config(width=8, heads=2)


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    check_retriever_space(encoder, "fdca")
    build = _faithful if config.mode == "faithful" else _fixed
    return build(config, encoder)


def _fixed(config: Config, encoder: Encoder) -> DenseRetriever:
    with model_random_generators(config.seed):
        module = FixedFdca(
            encoder.dim,
            width=config.width,
            depth=config.depth or 1,
            heads=config.heads,
            dropout=0.1 if config.dropout is None else config.dropout,
            fusion_dropout=config.fusion_dropout,
            temperature=config.temperature,
            token_branch=config.token_branch,
        )

    def encode_queries(reference: VideoFeatures, text: TextFeatures) -> Tensor:
        return module(reference, text).query_BD

    def training_step(batch: TripletBatch) -> Losses:
        batch = model_inputs_on_device(batch, network_device(module))
        composed = module(batch.reference, batch.modification)
        changed = [row for row, text in enumerate(batch.modifications) if fdca_without_negation(text) != text]
        negative_BD = composed.query_BD.clone()
        if changed:
            texts = encoder.encode_texts([fdca_without_negation(batch.modifications[row]) for row in changed])
            reference = VideoFeatures(batch.reference.frames_BTD[changed], batch.reference.mask_BT[changed])
            negative_BD[changed] = module(reference, model_inputs_on_device(texts, network_device(module))).query_BD
        return _fixed_losses(config, module.scale, composed, negative_BD, changed, batch)

    return _retriever(config, encoder, module, encode_queries, training_step)


def _fixed_losses(
    config: Config, scale: Tensor, composed: Composed, negative_BD: Tensor, changed: list[int], batch: TripletBatch
) -> Losses:
    target_BD, video_BD = batch.joined(batch.target.pooled_BD()), batch.joined(batch.reference.pooled_BD())
    query_BD, token_BD = batch.joined(composed.query_BD), batch.joined(composed.token_BD)
    retained_BD, negative_BD = batch.joined(composed.retained_BD), batch.joined(negative_BD)
    counted_B = torch.zeros(len(batch.references), dtype=torch.bool, device=target_BD.device)
    counted_B[changed] = True
    counted_B = batch.joined(counted_B)
    ignored_BB = batch.ignored().to(target_BD.device)
    same_reference_BB = model_loss_false_negatives(batch.joined_ids([video.video_id for video in batch.references]))
    same_reference_BB = same_reference_BB.to(target_BD.device)
    parts = {
        "query": info_nce(scale * loss_similarities(query_BD, target_BD), ignored_BB),
        "token": config.token_weight * info_nce(scale * loss_similarities(token_BD, target_BD), ignored_BB),
        "retained": config.retained_weight
        * info_nce(scale * loss_similarities(retained_BD, video_BD), same_reference_BB),
        "triplet": config.triplet_weight
        * triplet_margin(target_BD, query_BD, negative_BD, margin=config.margin, counted_B=counted_B),
    }
    return {"loss": torch.stack(list(parts.values())).sum(), **parts}


def _faithful(config: Config, encoder: Encoder) -> DenseRetriever:
    with model_random_generators(config.seed):
        depth, dropout = config.depth or 6, 0.5 if config.dropout is None else config.dropout
        module = FaithfulFdca(encoder.dim, depth=depth, dropout=dropout)

    def encode_queries(reference: VideoFeatures, text: TextFeatures) -> Tensor:
        return module.encode_query(_mean_frame(reference), text.own_BD())

    def training_step(batch: TripletBatch) -> Losses:
        stripped = encoder.encode_texts([fdca_without_negation_as_released(text) for text in batch.modifications])
        batch, stripped = (
            model_inputs_on_device(batch, network_device(module)),
            model_inputs_on_device(stripped, network_device(module)),
        )
        composition = module.compose(_mean_frame(batch.reference), _view(batch.modification), _view(stripped))
        return FaithfulLosses.of(_joined(batch, composition), batch.joined(_mean_frame(batch.target))).named()

    return _retriever(config, encoder, module, encode_queries, training_step)


def _retriever(
    config: Config, encoder: Encoder, module: nn.Module, encode: Callable[[VideoFeatures, TextFeatures], Tensor],
    training_step: Callable[[TripletBatch], Losses],
) -> DenseRetriever:  # fmt: skip
    load_model_weights(module, config.checkpoint)

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        device = network_device(module)
        reference = model_inputs_on_device(encoder.encode_videos(task_references(queries)), device)
        return encode(reference, model_inputs_on_device(encoder.encode_texts(task_modifications(queries)), device))

    return pooled_retriever(encoder, encode_queries, module=module, training_step=training_step)


def _joined(batch: TripletBatch, composition: Composition) -> Composition:
    """The compositions of all parts of the batch."""
    return Composition(*(batch.joined(getattr(composition, field.name)) for field in dataclasses.fields(composition)))


def _mean_frame(features: VideoFeatures) -> Tensor:
    return masked_feature_mean(features.frames_BTD, features.mask_BT)


def _view(features: TextFeatures) -> TextView:
    return TextView(features.own_BD(), features.tokens_BLD, features.mask_BL)


EXCLUDING = (
    "instead of", "rather than", "in place of", "as opposed to", "no longer", "not", "no", "never", "neither", "nor",
    "without", "except", "get rid of", "take out", "remove", "removes", "removed", "removing", "replace", "replaces",
    "replaced", "replacing",
)  # fmt: skip
"""Words that turn what follows (or, `replace`, part of it) into what is to go; longer ones first where they overlap.

A model compares a text with and without them to learn what it excludes.
"""

AS_RELEASED = ("instead of", "not", "rather than")
"""What FDCA deletes, in that order, wherever the letters stand."""

_WORDS = re.compile(rf"\b(?:{'|'.join(EXCLUDING)})\b|n['\u2019]t\b", re.IGNORECASE)


def fdca_without_negation(text: str) -> str:
    """Return the text without its words of negation, in any case; `doesn't` keeps `does`; unchanged if none is left."""
    stripped = " ".join(_WORDS.sub(" ", text).split())
    return stripped if any(letter.isalnum() for letter in stripped) else text


def fdca_without_negation_as_released(text: str) -> str:
    """Return the text as FDCA strips it: letters are deleted inside words too, so another becomes aher."""
    for letters in AS_RELEASED:
        text = text.replace(letters, "")
    return text

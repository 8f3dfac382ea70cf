"""Read the modification text while looking at the reference's frame, with BLIP's text encoder (CoVR).

    cvr bench -m covr-blip                                             # a small network over any features
    cvr bench -m covr-blip -o model=Salesforce/blip-itm-large-coco     # the published size, over features of blip

Without `model` the network is small and starts from nothing: the same layers, whose words are the stored tokens of the
text and whose image tokens are the frames of the reference. With `model` the image side is frozen, as published: the
targets are the stored features of `cvr embed --encoder blip`, the reference is its middle frame with all tokens
(`--all-tokens`, in the same folder or, smaller, in one of its own: reference_tokens).

`faithful` trains and reads as released; `fixed` (the default) differs from it:

- HN-NCE weighs a negative by its own row; as released, by that of another query;
- equal targets and near-duplicates are no negatives;
- texts are read to the end (256 tokens); as released, 30 words, and 35 tokens in training.

Either way dropout of the frozen image network, which the released code leaves on, is off. Published weights come from
`cvr import-checkpoint`. Variants are those of the paper; `avg` is not trained; `visual-only` trains the projection of
the image alone, where the paper trains the image network as well.

Source: Ventura et al., AAAI 2024 (https://arxiv.org/abs/2308.14746), code github.com/lucas-ventura/CoVR.
"""

# Shapes: B queries, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models.networks.covr.blip import BlipNetwork, Built, ImageTokens, build_blip_network
from cvr_bench.models.networks.covr.config import CovrConfig, Pooling
from cvr_bench.models.networks.covr.inputs import Inputs, model_input_middle_frame
from cvr_bench.models.networks.covr.objective import covr_targets
from cvr_bench.models.networks.covr.retriever import Compose, covr_retriever, covr_target_and_caption_losses
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.device import model_random_generators, network_device
from cvr_bench.models.parts.retriever import DenseRetriever, Losses, check_retriever_space
from cvr_data.core.ranges import NOT_NEGATIVE, option_range
from cvr_data.features.protocol import Encoder
from cvr_data.media.video import Video

Variant = Literal["cross-attention", "text-only", "visual-only", "avg", "late-fusion"]


@dataclass(frozen=True, kw_only=True)
class Config(CovrConfig):
    variant: Variant = "cross-attention"
    """What a query is made of: the text looking at the image, one of the two alone, the mean of both, or their gated
    sum."""
    query_frame: Literal["middle", "random"] = "middle"
    """Of a reference in training: random draws one of the stored frames each time. Scoring takes the middle one; the
    small network looks at all frames, unless it learns from random ones."""
    pooling: Pooling = "mean"
    """Of a target's frames in training: mean, middle or, as released, query (weighted by its annotated scores); in a
    gallery query is mean, as no label is used there (the protocol `reference-code: CoVR` does use them)."""
    caption_weight: float = field(default=0.0, metadata=option_range(NOT_NEGATIVE))
    """Of a second loss, against the frozen text embedding of the target's caption; as released 0, for BLIP-2 0.5."""


TINY = Config(width=8, layers=1, heads=2)


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    if config.variant in ("avg", "late-fusion"):
        check_retriever_space(encoder, f"covr-blip: variant {config.variant}")
        return _retriever(config, encoder, *_of_embeddings(config, encoder))
    built = build_blip_network(config, encoder)
    _train_only_used(built, config.variant)
    return _retriever(config, encoder, built.network, _network_query(config, encoder, built))


def _train_only_used(built: Built[BlipNetwork], variant: Variant) -> None:
    """Freeze what a variant does not use, and the projection of images, which the frozen targets went through."""
    network = built.network
    for name, parameter in network.named_parameters():
        is_visual = name.startswith("vision_proj.")
        is_used = is_visual if variant == "visual-only" else not is_visual
        parameter.requires_grad_(is_used and not (variant == "text-only" and ".crossattention." in name))


def _network_query(config: Config, encoder: Encoder, built: Built[BlipNetwork]) -> Compose:
    network, inputs = built.network, Inputs(config, encoder, built)

    def compose(
        videos: Sequence[Video], words: Sequence[str], described: Sequence[str | None], training: bool
    ) -> Tensor:
        read = None if config.variant == "visual-only" else inputs.words(words, training=training)
        drawn = training and config.query_frame == "random"
        image = None if config.variant == "text-only" else inputs.images(videos, drawn=drawn)
        if read is None:
            assert image is not None
            return network.visual(_class_token(image, is_whole=built.token_width is not None))
        return network.query(read, image)

    return compose


def _class_token(image: ImageTokens, *, is_whole: bool) -> Tensor:
    """What stands for the image: the first token, or of frames the one in the middle."""
    if is_whole:
        return image.tokens_BPV[:, 0]
    rows_B = torch.arange(len(image.mask_BP), device=image.mask_BP.device)
    return image.tokens_BPV[rows_B, image.mask_BP.sum(dim=1) // 2]


def _of_embeddings(config: Config, encoder: Encoder) -> "tuple[LateFusion | None, Compose]":
    """What composes the frozen embeddings of the text and of the reference's middle frame, and its module."""
    fusion: LateFusion | None = None
    if config.variant == "late-fusion":
        with model_random_generators(config.seed):
            fusion = LateFusion(encoder.dim, 2 * encoder.dim)

    def compose(
        videos: Sequence[Video], words: Sequence[str], described: Sequence[str | None], training: bool
    ) -> Tensor:
        image_BD = F.normalize(model_input_middle_frame(encoder.encode_videos(videos)), dim=-1)
        text_BD = encoder.encode_texts(words).pooled_BD
        if fusion is None:
            return F.normalize((text_BD + image_BD) / 2, dim=-1)
        return fusion(text_BD.to(network_device(fusion)), image_BD.to(network_device(fusion)))

    return fusion, compose


def _retriever(config: Config, encoder: Encoder, module: nn.Module | None, compose: Compose) -> DenseRetriever:
    def losses(query_BD: Tensor, batch: TripletBatch) -> Losses:
        target_BD, weight = covr_targets(batch, config.pooling), config.caption_weight
        return covr_target_and_caption_losses(
            "covr-blip", config, encoder, query_BD, target_BD, batch, caption_weight=weight
        )

    return covr_retriever(
        config,
        encoder,
        module,
        compose,
        losses,
        reads_image=config.variant != "text-only",
        reads_text=config.variant != "visual-only",
    )


class LateFusion(nn.Module):
    """(text, image) -> query embedding: a gated sum of the frozen embeddings, and a learned part.

    The released code tests a model of this form without holding its module, so widths are ours.

    Source: src/test/blip2/webvid_covr_exp.py of https://github.com/lucas-ventura/CoVR.
    """

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.combiner_layer = nn.Linear(2 * dim, hidden)
        self.output_layer = nn.Linear(hidden, dim)
        self.dynamic_scalar = nn.Sequential(nn.Linear(2 * dim, hidden), nn.ReLU(), nn.Linear(hidden, 1), nn.Sigmoid())

    def forward(self, text_BD: Tensor, image_BD: Tensor) -> Tensor:
        """Return query_BD, unit length."""
        both_BC = torch.cat([text_BD, image_BD], dim=-1)
        share_B1 = self.dynamic_scalar(both_BC)
        learned_BD = self.output_layer(F.relu(self.combiner_layer(both_BC)))
        return F.normalize((learned_BD + share_B1 * text_BD + (1 - share_B1) * image_BD).float(), dim=-1)

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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models.networks.covr.blip import Built, ImageTokens, Sizes, build_blip
from cvr_bench.models.networks.covr.inputs import AS_PUBLISHED, AT_ONCE, LONG, References, Texts, middle
from cvr_bench.models.networks.covr.late_fusion import LateFusion
from cvr_bench.models.networks.covr.objective import (
    Loss,
    Mode,
    Objective,
    Pooling,
    column,
    gallery_of,
    in_parts,
    targets_of,
)
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.device import device_of, on_device, seeded
from cvr_bench.models.parts.retriever import DenseRetriever, Losses, check_one_space
from cvr_bench.models.parts.weights import load_weights
from cvr_bench.tasks.task import Query, modifications, references
from cvr_data.features.protocol import Encoder
from cvr_data.media.video import Video

Variant = Literal["cross-attention", "text-only", "visual-only", "avg", "late-fusion"]
Encode = Callable[[Sequence[Video], Sequence[str], bool], Tensor]
"""(references, modification texts, whether in training) -> query_BD."""


@dataclass(frozen=True, kw_only=True)
class Config:
    mode: Mode = "fixed"
    """What was released, or that without its flaws."""
    variant: Variant = "cross-attention"
    """What a query is made of: the text looking at the image, one of the two alone, the mean of both, or their gated
    sum."""
    model: str | None = None
    """Folder or hub id of a BLIP retrieval model of transformers, that of the features; None is a small network."""
    reference_tokens: Path | None = None
    """Embeddings folder with all tokens of the references' middle frames; None looks in the scored features."""
    query_frame: Literal["middle", "random"] = "middle"
    """Of a reference in training: random draws one of the stored frames each time. Scoring takes the middle one; the
    small network looks at all frames, unless it learns from random ones."""
    pooling: Pooling = "mean"
    """Of a target's frames in training: mean, middle or, as released, query (weighted by its annotated scores); in a
    gallery query is mean, as no label is used there (the protocol `reference-code: CoVR` does use them)."""
    loss: Loss = "hn-nce"
    """Whether close negatives weigh more."""
    temperature: float = 0.07
    """Of the logits; not learned, as released."""
    caption_weight: float = 0.0
    """Of a second loss, against the frozen text embedding of the target's caption; as released 0, for BLIP-2 0.5."""
    width: int = 128
    """Of the small network's states."""
    layers: int = 2
    """Of the small network; as published 12."""
    heads: int = 4
    """Of the small network's attention."""
    dropout: float = 0.1
    """Of the small network."""
    checkpoint: Path | None = None
    """Trained weights; None starts from those of `model`, or from random ones."""
    seed: int = 0
    """Of the first weights."""

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, got {self.width} and {self.heads}.")


TINY = Config(width=8, layers=1, heads=2)


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    """Return the model over frozen features.

    Raises:
        CvrError: the features lack what the variant needs, or the checkpoint does not fit.
    """
    if config.variant == "avg":
        check_one_space(encoder, "covr-blip: variant avg")
        return _retriever(config, encoder, None, lambda *query: F.normalize(_average(encoder, *query), dim=-1))
    if config.variant == "late-fusion":
        check_one_space(encoder, "covr-blip: variant late-fusion")
        with seeded(config.seed):
            fusion = LateFusion(encoder.dim, 2 * encoder.dim)
        return _retriever(
            config, encoder, fusion, lambda *query: fusion(*_embeddings(encoder, device_of(fusion), *query))
        )
    sizes = Sizes(
        width=config.width, layers=config.layers, heads=config.heads, dropout=config.dropout, seed=config.seed
    )
    built = build_blip(config.model, encoder, sizes)
    train_only_used(built, config.variant)
    return _retriever(config, encoder, built.network, _network_query(config, encoder, built))


def train_only_used(built: Built, variant: Variant) -> None:
    """Freeze what a variant does not use, and the projection of images, which the frozen targets went through."""
    network = built.network
    for name, parameter in network.named_parameters():
        is_visual = name.startswith("vision_proj.")
        is_used = is_visual if variant == "visual-only" else not is_visual
        parameter.requires_grad_(is_used and not (variant == "text-only" and ".crossattention." in name))


def _network_query(config: Config, encoder: Encoder, built: Built) -> Encode:
    network = built.network
    texts = Texts(encoder, built.tokenizer, AS_PUBLISHED if config.mode == "faithful" else LONG)
    look = References(encoder, config.reference_tokens, built.token_width)

    def encode(videos: Sequence[Video], words: Sequence[str], training: bool) -> Tensor:
        device = device_of(network)
        read = None if config.variant == "visual-only" else on_device(texts(words, training=training), device)
        drawn = training and config.query_frame == "random"
        image = None if config.variant == "text-only" else on_device(look(videos, drawn=drawn), device)
        if read is None:
            assert image is not None
            return network.visual(_class_token(image, is_whole=built.token_width is not None))
        return network.query(read, image)

    return encode


def _class_token(image: ImageTokens, *, is_whole: bool) -> Tensor:
    """What stands for the image: the first token, or of frames the one in the middle."""
    if is_whole:
        return image.tokens_BPV[:, 0]
    rows_B = torch.arange(len(image.mask_BP), device=image.mask_BP.device)
    return image.tokens_BPV[rows_B, image.mask_BP.sum(dim=1) // 2]


def _embeddings(
    encoder: Encoder, device: torch.device, videos: Sequence[Video], words: Sequence[str], training: bool
) -> tuple[Tensor, Tensor]:
    """(text_BD, image_BD): the frozen embeddings of the text and of the reference's middle frame."""
    image_BD = F.normalize(middle(encoder.encode_videos(videos)), dim=-1)
    return encoder.encode_texts(words).pooled_BD.to(device), image_BD.to(device)


def _average(encoder: Encoder, videos: Sequence[Video], words: Sequence[str], training: bool) -> Tensor:
    text_BD, image_BD = _embeddings(encoder, torch.device("cpu"), videos, words, training)
    return (text_BD + image_BD) / 2


def _retriever(config: Config, encoder: Encoder, module: nn.Module | None, encode: Encode) -> DenseRetriever:
    if module is not None and config.checkpoint is not None:
        load_weights(module, config.checkpoint)
    objective = Objective(config.mode, config.loss, config.temperature)

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        # what the variant does not use, a query need not have
        videos = [] if config.variant == "text-only" else references(queries)
        words = [] if config.variant == "visual-only" else modifications(queries)
        return in_parts(len(queries), AT_ONCE, lambda part: encode(videos[part], words[part], False))

    def training_step(batch: TripletBatch) -> Losses:
        query_BD = encode(batch.references, batch.modifications, True)
        target_BD = targets_of(batch, config.pooling)
        parts = {"target": objective(query_BD, target_BD, batch)}
        if config.caption_weight:
            captions = column(batch, "target_caption", "covr-blip", "caption_weight=0")
            caption_BD = encoder.encode_texts(captions).pooled_BD
            parts["caption"] = config.caption_weight * objective(query_BD, caption_BD, batch)
        return {"loss": torch.stack(list(parts.values())).sum(), **parts}

    return DenseRetriever(
        encode_queries,
        gallery_of(encoder, config.pooling),
        module=module,
        training_step=None if module is None else training_step,
    )

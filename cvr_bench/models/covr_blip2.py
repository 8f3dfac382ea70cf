"""Let BLIP-2's query tokens look at the reference's frame and read the modification text, both at once (CoVR-2).

    cvr bench -m covr-blip2                                              # a small network over any features
    cvr bench -m covr-blip2 -o model=Salesforce/blip2-itm-vit-g-coco     # the published size, over features of blip2

Without `model` the network is small and starts from nothing: its words are the stored tokens of the text, its image
tokens the frames of the reference. With `model` the image side is frozen, as published: the targets are the stored
features of `cvr embed --encoder blip2 -o normalise=false` (with `--all-tokens` every query token), the reference is
its middle frame, embedded with `-o tokens=vision --all-tokens` into a folder of its own: reference_tokens.

A query is its tokens, each of unit length. scoring=mean takes their mean, and that of the target's; scoring=max, which
the paper uses on CIRR, the best pair of tokens.

`faithful` trains and reads as released; `fixed` (the default) differs from it:

- the means have unit length, in training and test; as released, targets have another length in training than in test;
- HN-NCE weighs a negative by its own row; equal targets and near-duplicates are no negatives;
- texts are read to the end; as released, 30 words, and 32 tokens in training.

Source: Ventura et al., TPAMI 2024 (https://arxiv.org/abs/2308.14746v3), code github.com/lucas-ventura/CoVR.
"""

# Shapes: B queries or videos, T frames, K query tokens, D embedding; Q queries, G gallery videos, N tokens of all.

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvr_bench.models.networks.covr.blip import Built
from cvr_bench.models.networks.covr.config import CovrConfig
from cvr_bench.models.networks.covr.inputs import Inputs, Limits
from cvr_bench.models.networks.covr.objective import covr_model_queries_in_parts, covr_pooled
from cvr_bench.models.networks.covr.qformer import QFormerNetwork, build_qformer_network
from cvr_bench.models.networks.covr.retriever import covr_composed, covr_target_and_caption_losses
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.retriever import (
    DenseRetriever,
    Losses,
    check_released_model_frames,
    network_in_evaluation_mode,
    retriever_videos_and_texts,
)
from cvr_bench.models.parts.weights import load_model_weights
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.ranges import NOT_NEGATIVE, SIZE, option_range
from cvr_data.features.protocol import Encoder, VideoFeatures, video_token_features
from cvr_data.media.video import Video

AS_PUBLISHED = Limits(words=30, train_tokens=32, test_tokens=64)
BLOCK = 1 << 24
"""Products of tokens held at once: 64 MB."""
BATCH = 256
"""Videos read at once, where they are several tokens."""
Variant = Literal["cross-attention", "text-only", "visual-only"]


@dataclass(frozen=True, kw_only=True)
class Config(CovrConfig):
    variant: Variant = "cross-attention"
    """What a query is made of: text and image together, or one of the two alone."""
    model: str | None = None
    """Folder or hub id of a BLIP-2 retrieval model of transformers, that of the features; None is a small network."""
    reference_tokens: Path | None = None
    """Embeddings folder with all vision tokens of the references' middle frames; needed with `model`."""
    targets: Literal["frames", "tokens"] = "frames"
    """What a target is: the features of its frames, or every query token of them, stored with --all-tokens."""
    scoring: Literal["mean", "max"] = "mean"
    """Mean of the tokens, or the best pair of them; training uses the mean either way, as released."""
    target_weight: float | None = field(default=None, metadata=option_range(NOT_NEGATIVE))
    """Of the loss against the target; None is 1 for `fixed` and 0.5 for `faithful`, as released (fine-tuning: 1)."""
    caption_weight: float | None = field(default=None, metadata=option_range(NOT_NEGATIVE))
    """Of the loss against the frozen embedding of the target's caption; None is 0 for `fixed` and 0.5 for `faithful`,
    as released (fine-tuning: 0)."""
    layers: int = field(default=2, metadata=option_range(SIZE))
    """Of the small network; as published 12. Every other one looks at the image."""
    queries: int = field(default=8, metadata=option_range(SIZE))
    """Query tokens of the small network; as published 32."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.variant == "text-only" and self.scoring == "max":
            raise ValueError("scoring=max needs query tokens, of which variant text-only has none.")


TINY = Config(width=8, layers=1, heads=2, queries=2)


def load(config: Config, encoder: Encoder) -> "DenseRetriever | MaxOverTokens":
    if config.is_faithful and config.model is not None and config.targets == "frames":
        check_released_model_frames(encoder, "covr-blip2", unit=False)
    built = build_qformer_network(config, encoder, config.queries, QFormerNetwork)
    _train_only_used(built, config.variant)
    load_model_weights(built.network, config.checkpoint)
    composer, targets = QFormerComposer(config, encoder, built), Targets(config, encoder)
    step = TrainingStep(config, encoder, composer, targets)

    def tokens_of(queries: Sequence[Query]) -> Tensor:
        reads_image, reads_text = config.variant != "text-only", config.variant != "visual-only"
        return covr_composed(queries, composer, reads_image=reads_image, reads_text=reads_text)

    if config.scoring == "max":
        return MaxOverTokens(tokens_of, targets.tokens, module=built.network, training_step=step)
    return DenseRetriever(
        lambda queries: composer.mean(tokens_of(queries)),
        targets.means,
        module=built.network,
        training_step=step,
    )


def _train_only_used(built: Built[QFormerNetwork], variant: Variant) -> None:
    """Freeze what a variant does not use, and the projection of images, which the frozen targets went through."""
    for name, parameter in built.network.named_parameters():
        if variant == "visual-only":  # as released: the projection and the query tokens
            parameter.requires_grad_(name.startswith("vision_projection.") or name == "query_tokens")
        else:
            is_of_queries = name == "query_tokens" or ".crossattention." in name or "_query." in name
            unused = is_of_queries if variant == "text-only" else False
            parameter.requires_grad_(not (unused or name.startswith("vision_projection.")))


class QFormerComposer:
    """(references, modification texts) -> tokens_BKD, each of unit length."""

    def __init__(self, config: Config, encoder: Encoder, built: Built[QFormerNetwork]):
        self.network, self.variant, self.is_faithful = built.network, config.variant, config.is_faithful
        self.inputs = Inputs(config, encoder, built, AS_PUBLISHED)

    def __call__(
        self, videos: Sequence[Video], words: Sequence[str], described: Sequence[str | None], training: bool
    ) -> Tensor:
        """Return tokens_BKD; of a text alone K is 1."""
        if self.variant == "visual-only":
            return self.network.visual_tokens_of(self.inputs.images(videos))
        read = self.inputs.words(words, training=training)
        if self.variant == "text-only":
            return self.network.text(read)[:, None]
        return self.network.query_tokens_of(read, self.inputs.images(videos))

    def mean(self, tokens_BKD: Tensor) -> Tensor:
        """Return query_BD; as released the mean of text and image together is not of unit length, that of one is."""
        mean_BD = tokens_BKD.mean(dim=1)
        is_bare = self.is_faithful and self.variant == "cross-attention"
        return mean_BD if is_bare else F.normalize(mean_BD, dim=-1)


class Targets:
    """Videos -> their frozen features, pooled over frames."""

    def __init__(self, config: Config, encoder: Encoder):
        self.config, self.encoder = config, encoder
        self.is_faithful = config.is_faithful

    def means(self, videos: Sequence[Video]) -> Tensor:
        """Return target_BD of gallery videos: the mean of their query tokens."""
        if self.config.targets == "frames":
            mean_BD = covr_pooled(self.encoder.encode_videos(videos), self.config.pooling)
        else:
            tokens_BKD = covr_pooled(video_token_features(self.encoder, videos), self.config.pooling)
            mean_BD = F.normalize(tokens_BKD, dim=-1).mean(dim=1)
        return mean_BD if self.is_faithful else F.normalize(mean_BD, dim=-1)

    def tokens(self, videos: Sequence[Video]) -> list[Tensor]:
        """Return the tokens of each gallery video, of unit length: its query tokens, or its frames."""
        if self.config.targets == "tokens":
            tokens_BKD = covr_pooled(video_token_features(self.encoder, videos), self.config.pooling)
            return list(F.normalize(tokens_BKD, dim=-1))
        features = self.encoder.encode_videos(videos)
        return [
            F.normalize(frames_TD[mask_T], dim=-1)
            for frames_TD, mask_T in zip(features.frames_BTD, features.mask_BT, strict=True)
        ]

    def of_batch(self, batch: TripletBatch) -> Tensor:
        """Return target_BD to train against; as released, tokens averaged over frames keep the length they got."""
        features: VideoFeatures = batch.target
        if self.config.targets == "tokens":
            features = video_token_features(self.encoder, [Video(target_id) for target_id in batch.target_ids])
        frame_scores = batch.extra.get("frame_scores") or [None] * len(batch.target_ids)
        found = covr_pooled(features, self.config.pooling, frame_scores)
        if self.config.targets == "tokens":
            found = (found if self.is_faithful else F.normalize(found, dim=-1)).mean(dim=1)
        return found if self.is_faithful else F.normalize(found, dim=-1)


class TrainingStep:
    """Batch -> losses: against the target, and against its caption."""

    def __init__(self, config: Config, encoder: Encoder, composer: QFormerComposer, targets: Targets):
        self.config, self.encoder, self.composer, self.targets = config, encoder, composer, targets
        default = 0.5 if config.is_faithful else None
        self.target_weight = (default or 1.0) if config.target_weight is None else config.target_weight
        self.caption_weight = (default or 0.0) if config.caption_weight is None else config.caption_weight

    def __call__(self, batch: TripletBatch) -> Losses:
        """Return the losses."""
        query_BD = self.composer.mean(self.composer(batch.references, batch.modifications, (), True))
        return covr_target_and_caption_losses(
            "covr-blip2",
            self.config,
            self.encoder,
            query_BD,
            self.targets.of_batch(batch),
            batch,
            target_weight=self.target_weight,
            caption_weight=self.caption_weight,
        )


class MaxOverTokens:
    """A retriever whose queries and videos are several tokens each: the best pair of tokens counts.

    `encode_queries` gives (Q, K, D), `encode_videos` a (T, D) for each. Memory is bounded by a block; the released code
    holds all pairs at once, 139 GB on CIRR's val split.
    """

    def __init__(
        self, encode_queries: Callable[[Sequence[Query]], Tensor],
        encode_videos: Callable[[Sequence[Video]], list[Tensor]], *, module: nn.Module,
        training_step: Callable[[TripletBatch], Losses],
    ):  # fmt: skip
        self.encode_queries, self.encode_videos = encode_queries, encode_videos
        self.module, self.training_step = module, training_step
        self.tokens_ND = torch.empty(0, 0)
        self.owners_N = torch.empty(0, dtype=torch.int64)
        self.size = 0

    def index(self, gallery: Sequence[Item]) -> None:
        """Keep the tokens of the gallery. Raises CvrError: an item is a text."""
        videos, _ = retriever_videos_and_texts(gallery, ranks_texts=False)
        with network_in_evaluation_mode(self.module):
            parts = [self.encode_videos(videos[start : start + BATCH]) for start in range(0, len(videos), BATCH)]
        rows = [tokens_TD.float().cpu() for part in parts for tokens_TD in part]
        self.size = len(rows)
        self.tokens_ND = torch.cat(rows) if rows else torch.empty(0, 0)
        self.owners_N = torch.arange(len(rows)).repeat_interleave(torch.tensor([len(row) for row in rows]))

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG, the largest dot product of a token of the query and one of the video."""
        with network_in_evaluation_mode(self.module):
            tokens_QKD = self.encode_queries(queries).float().cpu()
        at_once = max(1, BLOCK // max(1, tokens_QKD.shape[1] * len(self.tokens_ND)))

        def best(part: slice) -> Tensor:
            best_QN = (tokens_QKD[part] @ self.tokens_ND.T).amax(dim=1)
            empty_QG = best_QN.new_full((len(best_QN), self.size), -torch.inf)
            return empty_QG.scatter_reduce(1, self.owners_N.expand_as(best_QN), best_QN, "amax")

        return covr_model_queries_in_parts(len(queries), at_once, best)

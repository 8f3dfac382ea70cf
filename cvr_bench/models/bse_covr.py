"""Ground the reference's frame in its description before the modification text looks at it (BSE-CoVR).

CoVR-BLIP with one layer more: the description, read by the same text encoder, is projected and added to every image
token. A query without a description adds nothing, which is CoVR-BLIP. Sizes and features are those of covr-blip; the
description is the `description` of a query: where triplets have none, the caption of the reference.

`faithful` reads and trains as released; `fixed` (the default) differs from it:

- the text-only query looks at the description; as released, the description is handed over and then ignored;
- a description starts with the same token in training and test; as released, with [CLS] and then [ENC];
- texts are read to the end, losses weigh and leave out negatives as in covr-blip.

Source: Thawakar et al., ICCV 2025 (https://arxiv.org/abs/2508.14039), code github.com/OmkarThawakar/BSE-CoVR.
"""

# Shapes: B queries, L tokens, P image tokens, V width of an image token, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cvr_bench.models.networks.covr.blip import CLS, ENC, Built, ImageTokens, Sizes, build_blip
from cvr_bench.models.networks.covr.inputs import AS_PUBLISHED, AT_ONCE, LONG, References, Texts
from cvr_bench.models.networks.covr.objective import Loss, Mode, Objective, Pooling, gallery_of, in_parts, targets_of
from cvr_bench.models.parts.batches import TripletBatch
from cvr_bench.models.parts.device import device_of, on_device
from cvr_bench.models.parts.retriever import DenseRetriever, Losses
from cvr_bench.models.parts.weights import load_weights
from cvr_bench.tasks.task import Query, modifications, references
from cvr_data.features.protocol import Encoder
from cvr_data.media.video import Video


@dataclass(frozen=True, kw_only=True)
class Config:
    mode: Mode = "fixed"
    """What was released, or that without its flaws."""
    text_only: bool = False
    """Whether the query has no image: the modification text and, in `fixed`, the description."""
    model: str | None = None
    """Folder or hub id of a BLIP retrieval model of transformers, that of the features; None is a small network."""
    reference_tokens: Path | None = None
    """Embeddings folder with all tokens of the references' middle frames; None looks in the scored features."""
    pooling: Pooling = "mean"
    """Of a target's frames in training: mean, middle or, as released, query (weighted by its annotated scores)."""
    loss: Loss = "hn-nce"
    """Whether close negatives weigh more."""
    temperature: float = 0.07
    """Of the logits; not learned, as released."""
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
        CvrError: the features lack what the network looks at, or the checkpoint does not fit.
    """
    sizes = Sizes(
        width=config.width, layers=config.layers, heads=config.heads, dropout=config.dropout, seed=config.seed
    )
    built = build_blip(config.model, encoder, sizes, with_prompt=True)
    built.network.vision_proj.requires_grad_(False)
    if config.checkpoint is not None:
        load_weights(built.network, config.checkpoint)
    composer = Composer(config, encoder, built)
    objective = Objective(config.mode, config.loss, config.temperature)

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        videos = [] if config.text_only else references(queries)
        words, described = modifications(queries), [query.description for query in queries]
        return in_parts(
            len(queries), AT_ONCE, lambda part: composer(videos[part], words[part], described[part], training=False)
        )

    def training_step(batch: TripletBatch) -> Losses:
        described = batch.extra.get("reference_description") or [None] * len(batch.references)
        query_BD = composer(batch.references, batch.modifications, described, training=True)
        return {"loss": objective(query_BD, targets_of(batch, config.pooling), batch)}

    gallery = gallery_of(encoder, config.pooling)
    return DenseRetriever(encode_queries, gallery, module=built.network, training_step=training_step)


class Composer:
    """(references, modification texts, descriptions) -> query_BD."""

    def __init__(self, config: Config, encoder: Encoder, built: Built):
        self.network = built.network
        self.text_only, self.is_faithful = config.text_only, config.mode == "faithful"
        self.texts = Texts(encoder, built.tokenizer, AS_PUBLISHED if self.is_faithful else LONG)
        self.look = References(encoder, config.reference_tokens, built.token_width)

    def __call__(
        self, videos: Sequence[Video], words: Sequence[str], described: Sequence[str | None], *, training: bool
    ) -> Tensor:
        """Return query_BD, unit length."""
        device = device_of(self.network)
        read = on_device(self.texts(words, training=training), device)
        if self.text_only and self.is_faithful:
            return self.network.query(read, None, ENC)
        prompt_B1V = self.prompt(described, training=training)
        if self.text_only:
            return self.network.query(read, ImageTokens(prompt_B1V, prompt_B1V.new_ones(len(words), 1).bool()))
        image = on_device(self.look(videos), device)
        return self.network.query(read, ImageTokens(image.tokens_BPV + prompt_B1V, image.mask_BP))

    def prompt(self, described: Sequence[str | None], *, training: bool) -> Tensor:
        """Return prompt_B1V: what each description adds to image tokens, zero where there is none."""
        first = ENC if self.is_faithful and not training else CLS
        given = [text for text in described if text is not None]
        prompts_B1V = torch.zeros(
            len(described), 1, self.network.vision_proj.in_features, device=device_of(self.network)
        )
        if not given:
            return prompts_B1V
        read = on_device(self.texts(given, training=training, raw=True), prompts_B1V.device)
        rows = torch.tensor([row for row, text in enumerate(described) if text is not None])
        found_R1V = self.network.prompt(read, first)[:, :1].float()
        return prompts_B1V.index_copy(0, rows.to(prompts_B1V.device), found_R1V)

"""Add the embeddings of reference video and modification text: composition without training.

Where no query has a text, or none a video (text-video retrieval), the other half is all there is.

Source: the `avg` baseline of CoVR, Ventura et al., AAAI 2024 (https://arxiv.org/abs/2308.14746), with a weight.
"""

# Shapes: B queries, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_bench.models.parts.retriever import DenseRetriever, check_one_space
from cvr_bench.tasks.task import Query, modifications, references
from cvr_data.features.protocol import Encoder


@dataclass(frozen=True, kw_only=True)
class Config:
    text_weight: float = 0.5
    """Share of the text in the sum, 0 to 1: 0 is visual-only, 1 is text-only."""

    def __post_init__(self) -> None:
        if not 0 <= self.text_weight <= 1:
            raise ValueError(f"text_weight must be between 0 and 1, got {self.text_weight}.")


TINY = Config()


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    """Return the model: the cosine of the weighted sum and a video's mean frame embedding."""
    check_one_space(encoder, "sum")

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        if all(query.reference is None for query in queries):
            return encoder.encode_texts(modifications(queries)).pooled_BD
        if all(query.modification is None for query in queries):
            return encoder.encode_videos(references(queries)).pooled_BD()
        video_BD = encoder.encode_videos(references(queries)).pooled_BD()
        text_BD = encoder.encode_texts(modifications(queries)).pooled_BD
        return F.normalize(torch.lerp(video_BD, text_BD, config.text_weight), dim=-1)

    return DenseRetriever(
        encode_queries,
        lambda videos: encoder.encode_videos(videos).pooled_BD(),
        encode_texts=lambda texts: encoder.encode_texts(texts).pooled_BD,
    )

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

from cvr_bench.models.parts.pooled import model_half_queries, model_pooled_texts, pooled_videos, untrained_retriever
from cvr_bench.models.parts.retriever import DenseRetriever, check_retriever_space
from cvr_bench.tasks.task import Query
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
    check_retriever_space(encoder, "sum")

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        if (half_BD := model_half_queries(encoder, queries)) is not None:
            return half_BD
        video_BD, text_BD = pooled_videos(encoder, queries), model_pooled_texts(encoder, queries)
        return F.normalize(torch.lerp(video_BD, text_BD, config.text_weight), dim=-1)

    return untrained_retriever(encoder, encode_queries)

"""Rank by likeness to the modification text alone; what it finds needs no reference video."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from cvr_bench.models.parts.retriever import DenseRetriever, check_one_space
from cvr_bench.tasks.task import Query, modifications
from cvr_data.features.protocol import Encoder


@dataclass(frozen=True, kw_only=True)
class Config:
    """Takes no option."""


TINY = Config()


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    """Return the model: the cosine of the text embedding and a video's mean frame embedding."""
    check_one_space(encoder, "text-only")

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        return encoder.encode_texts(modifications(queries)).pooled_BD

    return DenseRetriever(
        encode_queries,
        lambda videos: encoder.encode_videos(videos).pooled_BD(),
        encode_texts=lambda texts: encoder.encode_texts(texts).pooled_BD,
    )

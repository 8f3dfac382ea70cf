"""Rank by likeness to the modification text alone; what it finds needs no reference video."""

from dataclasses import dataclass

from cvr_bench.models.parts.pooled import model_pooled_texts, untrained_retriever
from cvr_bench.models.parts.retriever import DenseRetriever, check_retriever_space
from cvr_data.features.protocol import Encoder


@dataclass(frozen=True, kw_only=True)
class Config:
    """Takes no option."""


TINY = Config()


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    """Return the model: the cosine of the text embedding and a video's mean frame embedding."""
    check_retriever_space(encoder, "text-only")
    return untrained_retriever(encoder, lambda queries: model_pooled_texts(encoder, queries))

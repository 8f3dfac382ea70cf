"""Rank by likeness to the reference video alone; what it finds needs no text.

A gallery of texts (video-to-text retrieval) is ranked too, where the encoder has both in one space.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from cvr_bench.models.parts.pooled import pooled_retriever, pooled_videos
from cvr_bench.models.parts.retriever import DenseRetriever, check_retriever_space
from cvr_data.features.protocol import Encoder


@dataclass(frozen=True, kw_only=True)
class Config:
    """Takes no option."""


TINY = Config()


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    """Return the model: the cosine of mean frame embeddings."""

    def encode_texts(texts: Sequence[str]) -> Tensor:
        check_retriever_space(encoder, "visual-only")
        return encoder.encode_texts(texts).pooled_BD

    return pooled_retriever(encoder, lambda queries: pooled_videos(encoder, queries), encode_texts=encode_texts)

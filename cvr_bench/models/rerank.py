"""Let a second model put the best of a first one in order: late interaction, or a language model that rates candidates.

    cvr bench --model rerank -o first=combiner -o first_checkpoint=results/combiner-mine -o second=drl \
        -o second_checkpoint=results/drl-mine -o top=50
    cvr bench --model rerank -o first=sum -o second=judge -o second_options=backend=vllm,videos=videos -o top=20

Items that the first one scores the same as the last on the shortlist are on it too. The query's own reference takes
nobody's place on it. Where the second one scores two items the same, the first one decides.
"""

# Shapes: Q queries, G gallery items.

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from cvr_bench.models import MODELS, ModelModule
from cvr_bench.models.parts.retriever import Retriever
from cvr_bench.models.parts.two_stages import (
    reranker_model_scores,
    reranker_model_shortlist,
    reranker_reference_columns,
)
from cvr_bench.tasks.task import Item, Query
from cvr_data.features.protocol import Encoder


@dataclass(frozen=True, kw_only=True)
class Config:
    first: str = "sum"
    """The model that ranks the whole gallery."""
    first_options: tuple[str, ...] = ()
    """Its `key=value` options, separated by commas."""
    first_checkpoint: Path | None = None
    """Its weights, such as a result folder of `cvr bench`; needed by a model that is trained."""
    second: str = "drl"
    """The model that puts the shortlist in order; `judge` asks a language model."""
    second_options: tuple[str, ...] = ()
    """Its `key=value` options, separated by commas."""
    second_checkpoint: Path | None = None
    """Its weights."""
    top: int = 50
    """Items per query that the second one scores."""

    def __post_init__(self) -> None:
        if self.top < 1:
            raise ValueError(f"top must be at least 1, got {self.top}.")
        if "rerank" in (self.first, self.second):
            raise ValueError("first and second are models of their own, not rerank.")


TINY = Config(second="text-only", top=3)


@runtime_checkable
class Rescorer(Protocol):
    """A model that can score single items, which is cheaper than the whole gallery."""

    def rescore(self, query: Query, item_ids: Sequence[str]) -> Tensor:
        """Return one score per item, higher is better, NaN where there is none."""


def parts(config: Config) -> list[ModelModule]:
    return [MODELS.get(config.first), MODELS.get(config.second)]


def load(config: Config, encoder: Encoder) -> "Reranker":
    from cvr_bench.models.parts.trained import scoring_model

    return Reranker(
        scoring_model(config.first, config.first_options, config.first_checkpoint, encoder),
        scoring_model(config.second, config.second_options, config.second_checkpoint, encoder),
        config.top,
    )


class Reranker:
    """Two retrievers over one gallery."""

    def __init__(self, first: Retriever, second: Retriever, top: int):
        self.first, self.second, self.top = first, second, top
        self.gallery: Sequence[Item] = ()

    def index(self, gallery: Sequence[Item]) -> None:
        """Index the gallery with both."""
        self.gallery = gallery
        self.first.index(gallery)
        self.second.index(gallery)

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG: the shortlist above all else, in the second one's order."""
        first_QG = self.first.score(queries)
        listed_QG = reranker_model_shortlist(first_QG, reranker_reference_columns(queries, self.gallery), self.top)
        if not isinstance(self.second, Rescorer):
            return reranker_model_scores(first_QG, self.second.score(queries), listed_QG)
        second_QG = torch.full_like(first_QG, torch.nan)
        for row, query in enumerate(queries):
            columns = listed_QG[row].nonzero().flatten()
            second_QG[row, columns] = self.second.rescore(query, [self.gallery[c].item_id for c in columns.tolist()])
        return reranker_model_scores(first_QG, second_QG.nan_to_num(nan=-torch.inf), listed_QG)

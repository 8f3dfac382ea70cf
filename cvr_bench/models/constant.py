"""Give every video the same score: it ranks last, because ties count against a model."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cvr_bench.tasks.task import Item, Query
from cvr_data.features.protocol import Encoder


@dataclass(frozen=True, kw_only=True)
class Config:
    """Takes no option."""


TINY = Config()


def load(config: Config, encoder: Encoder) -> "ConstantRetriever":
    return ConstantRetriever()


class ConstantRetriever:
    """Knows how large the gallery is, and nothing else."""

    is_exact = True

    def __init__(self) -> None:
        self.size = 0

    def index(self, gallery: Sequence[Item]) -> None:
        """Count the gallery."""
        self.size = len(gallery)

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG, all zero."""
        return torch.zeros(len(queries), self.size)

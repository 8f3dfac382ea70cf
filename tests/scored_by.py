"""A model whose scores are known: `ScoredBy(lambda query_id, item_id: ...)`."""

from collections.abc import Callable, Sequence

import torch

from cvr_bench.tasks.task import Item, Query


class ScoredBy:
    """Scores a query and an item by a function of their ids."""

    def __init__(self, score_of: Callable[[str, str], float]):
        self.score_of = score_of
        self.names: list[str] = []

    def index(self, gallery: Sequence[Item]) -> None:
        self.names = [item.item_id for item in gallery]

    def score(self, queries: Sequence[Query]) -> torch.Tensor:
        return torch.tensor([[float(self.score_of(query.query_id, name)) for name in self.names] for query in queries])

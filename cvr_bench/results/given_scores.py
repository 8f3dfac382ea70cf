"""The metrics of a score matrix that another system made."""

# Shapes: Q queries, G gallery items, in the order of the task.

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cvr_bench.results.result import result_rank_statistics, result_ranks_table
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.measures import Measures
from cvr_bench.tasks.task import Item, Query, Task


class MatrixRetriever:
    """Scores that were made elsewhere, by query and item."""

    def __init__(self, scores_QG: np.ndarray, task: Task):
        self.scores_QG = scores_QG
        self.row_of = {query.query_id: row for row, query in enumerate(task.queries)}
        self.column_of = {item.item_id: column for column, item in enumerate(task.gallery)}
        self.columns: list[int] = []

    def index(self, gallery: Sequence[Item]) -> None:
        """Know which columns are asked for."""
        self.columns = [self.column_of[item.item_id] for item in gallery]

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return their scores, (queries, gallery)."""
        rows = [self.row_of[query.query_id] for query in queries]
        return torch.from_numpy(self.scores_QG[np.ix_(rows, self.columns)])


def result_of_given_scores(scores_QG: np.ndarray, task: Task) -> dict[str, Any]:
    """Return metrics with intervals, rank statistics, chance, and `ranks` by query id.

    Raises:
        ValueError: another shape, or a score that is no finite number.
    """
    scores_QG = np.asarray(scores_QG)
    shape = (len(task.queries), len(task.gallery))
    if scores_QG.shape != shape or scores_QG.dtype.kind != "f":
        raise ValueError(f"scores should be floats {shape}, got {scores_QG.dtype} {scores_QG.shape}.")
    if not np.isfinite(scores_QG).all():
        raise ValueError("scores should be finite numbers.")
    ranks = evaluate(MatrixRetriever(scores_QG, task), task)
    found = result_rank_statistics(result_ranks_table(task, ranks), Measures.of_task(task))
    return {**found, "ranks": dict(zip(ranks.query_ids, ranks.rank.tolist(), strict=True))}

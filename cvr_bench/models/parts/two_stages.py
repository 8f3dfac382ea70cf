"""A shortlist by one model, put in order by another: scores in which the shortlist stands above all else."""

# Shapes: Q queries, G gallery items, K the most items on a shortlist.

from collections.abc import Sequence

import torch
from torch import Tensor

from cvr_bench.tasks.task import Item, Query


def reranker_reference_columns(queries: Sequence[Query], gallery: Sequence[Item]) -> Tensor:
    """Return, per query, the column of its own reference in the gallery; -1 where it is not there."""
    column_of = {item.item_id: column for column, item in enumerate(gallery)}
    ids = [None if query.reference is None else query.reference.item_id for query in queries]
    return torch.tensor([-1 if item_id is None else column_of.get(item_id, -1) for item_id in ids], dtype=torch.long)


def reranker_model_shortlist(first_QG: Tensor, own_Q: Tensor, size: int) -> Tensor:
    """Return listed_QG, bool: the `size` best of each query and what scores the same as the last of them.

    The query's own reference is listed if it is that good, and takes nobody's place: most protocols leave it out.
    """
    without_QG = first_QG.clone()
    rows = (own_Q >= 0).nonzero().flatten()
    without_QG[rows, own_Q[rows]] = -torch.inf
    last_Q1 = without_QG.topk(min(size, first_QG.shape[1]), dim=1).values[:, -1:]
    return first_QG >= last_Q1


def reranker_model_scores(first_QG: Tensor, second_QG: Tensor, listed_QG: Tensor) -> Tensor:
    """Return scores_QG in which listed items stand above the others, by `second_QG`, and by `first_QG` where that ties.

    Items equal in both stay equal; those that are not listed keep their first score.
    """
    rows, columns = listed_QG.nonzero(as_tuple=True)
    if not len(rows):
        return first_QG
    first_N, second_N = first_QG[rows, columns], second_QG[rows, columns]
    order = torch.arange(len(rows))
    for key_N in (first_N, second_N, rows):
        order = order[torch.argsort(key_N[order], stable=True)]
    rows, first_N, second_N = rows[order], first_N[order], second_N[order]
    is_other = torch.ones(len(rows), dtype=torch.bool)
    is_other[1:] = (first_N[1:] != first_N[:-1]) | (second_N[1:] != second_N[:-1]) | (rows[1:] != rows[:-1])
    level_N = is_other.cumsum(0)
    starts_Q = torch.full((len(first_QG),), len(rows), dtype=torch.long).scatter_reduce(
        0, rows, level_N, "amin", include_self=True
    )
    scores_QG = first_QG.clone()
    scores_QG[rows, columns[order]] = first_QG.amax(dim=1)[rows] + 1 + (level_N - starts_Q[rows]).float()
    return scores_QG

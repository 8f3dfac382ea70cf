"""The best items of each query of a blind task, to send in."""

# Shapes: Q queries of a chunk, G gallery items.

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cvr_bench.tasks.task import Query, Task
from cvr_data.core.errors import CvrError, first_few

if TYPE_CHECKING:
    from cvr_bench.models.parts.retriever import Retriever


def best_answers(retriever: "Retriever", task: Task, count: int, *, chunk: int = 256) -> dict[str, list[str]]:
    """Return query_id -> its `count` best items, best first; of equal scores the smaller item_id comes first.

    Raises:
        CvrError: the gallery is not known, or a query has fewer items than that.
        ValueError: a score is NaN or infinite.
    """
    if not task.gallery:
        raise CvrError(f"{task.name}: its gallery is not published, so nothing can be ranked here.")
    gallery = sorted(task.gallery, key=lambda item: item.item_id)
    column_of = {item.item_id: column for column, item in enumerate(gallery)}
    item_ids = np.array(list(column_of), dtype=object)
    retriever.index(gallery)
    found: dict[str, list[str]] = {}
    for start in range(0, len(task.queries), chunk):
        queries = task.queries[start : start + chunk]
        scores_QG = retriever.score(queries).float().cpu().numpy().copy()
        if not np.isfinite(scores_QG).all():
            raise ValueError("A score is NaN or infinite.")
        scores_QG[~_allowed(task, queries, column_of)] = -np.inf
        for query, scores_G in zip(queries, scores_QG, strict=True):
            order = np.argsort(-scores_G, kind="stable")[:count]
            found[query.query_id] = item_ids[order[np.isfinite(scores_G[order])]].tolist()
    short = [query_id for query_id, best in found.items() if len(best) < count]
    if short:
        raise CvrError(f"{task.name}: query {first_few(short)} has fewer than {count} items to rank.")
    return found


def _allowed(task: Task, queries: Sequence[Query], column_of: Mapping[str, int]) -> np.ndarray:
    allowed_QG = np.full((len(queries), len(column_of)), task.candidates is None)
    for row, query in enumerate(queries):
        if task.candidates is not None:
            allowed_QG[row, [column_of[item_id] for item_id in task.candidates[query.query_id]]] = True
        if query.reference is not None and query.reference.item_id in column_of:
            allowed_QG[row, column_of[query.reference.item_id]] = False
    return allowed_QG

"""What several results ranked best, pooled: the items that someone has to judge, and how deep each stood.

    pool = pool_results(task, [read_result(path) for path in paths], depth=10)
    pool.best[query_id][item_id]          # the best rank that any result gave it, from 1

A result made with `--save-scores` is pooled to any depth, another one to the ten items that it keeps. A query's targets
and its own reference are no part of the pool.
"""

# Shapes: Q queries, G gallery items.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cvr_bench.results.result import Result
from cvr_bench.results.score_matrix import ScoreMatrix, read_result_scores
from cvr_bench.tasks.task import Query, Task
from cvr_data.core.errors import CvrError, first_few


@dataclass(frozen=True)
class Pool:
    """The items that results ranked best."""

    best: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """query_id -> item_id -> its best rank, targets and the reference left out."""
    by: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """query_id -> item_id -> the results that pooled it."""


def pool_results(task: Task, results: Sequence[Result], depth: int) -> Pool:
    """Return the pool of some results of a task.

    Raises:
        CvrError: a result is of other queries.
    """
    best: dict[str, dict[str, int]] = {query.query_id: {} for query in task.queries}
    by: dict[str, dict[str, tuple[str, ...]]] = {query.query_id: {} for query in task.queries}
    queries = {query.query_id: query for query in task.queries}
    items = {item.item_id for item in task.gallery}
    for result in results:
        check_audited_queries(result, queries)
        for query_id, ranked in audit_pool_ranking(result, depth).items():
            for rank, item_id in enumerate(ranked, start=1):
                if item_id in items and not _is_known(task, queries[query_id], item_id):
                    best[query_id][item_id] = min(rank, best[query_id].get(item_id, rank))
                    by[query_id][item_id] = (*by[query_id].get(item_id, ()), result.path.name)
    return Pool(best, by)


def check_audited_queries(result: Result, queries: Mapping[str, Query]) -> None:
    """Refuse a result of other queries. Raises CvrError: it has some that the task has not."""
    found = result.ranks.column("query_id").to_pylist()
    if strange := sorted(set(found) - set(queries)):
        raise CvrError(f"{result.path} ranks query {first_few(strange)}, which the triplets do not have.")


def audit_pool_ranking(result: Result, depth: int) -> dict[str, list[str]]:
    """Return query -> its best items, best first: `depth` of them where the scores are saved, else ten."""
    matrix = read_result_scores(result.path)
    if matrix is None:
        columns = (result.ranks.column(name).to_pylist() for name in ("query_id", "top"))
        return {query_id: top[:depth] for query_id, top in zip(*columns, strict=True)}
    item_ids = np.array(matrix.item_ids, object)
    return {name: item_ids[_best_columns(matrix, row, depth)].tolist() for row, name in enumerate(matrix.query_ids)}


def _best_columns(matrix: ScoreMatrix, row: int, depth: int) -> np.ndarray:
    """The best columns of a query, equal scores in the order of the items, its own reference left out."""
    scores_G = np.array(matrix.scores_QG[row], dtype=np.float32)
    if (own := matrix.references[row]) >= 0:
        scores_G[own] = -np.inf
    columns = np.arange(len(scores_G)) if matrix.candidates is None else matrix.candidates[row]
    order = columns[np.argsort(-scores_G[columns], kind="stable")]
    return order[np.isfinite(scores_G[order])][:depth]


def _is_known(task: Task, query: Query, item_id: str) -> bool:
    return item_id in task.targets[query.query_id] or not task.is_allowed(query, item_id)

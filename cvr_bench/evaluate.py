"""Rank a task's gallery with a retriever: exact ranks, ties counted against the model, memory bounded by one block.

The gallery is indexed in the order of its ids, so the order in which a task lists it cannot matter.
"""

# Shapes: Q queries of a chunk, G gallery items, C gallery columns of a block, K best kept.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cvr_bench.ranking import Best, Counter, padded, places
from cvr_bench.retriever import Retriever
from cvr_bench.score_blocks import COLUMNS, ScoreBlocks, Scorer
from cvr_bench.task import Query, Task

TOP = 10
"""Best candidates kept per query."""
SPARE = 6
"""Candidates kept beyond those, because float32 products may misorder the last ones."""

Cells = tuple[np.ndarray, np.ndarray]
"""(rows, columns)."""


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Where the targets of each query stand."""

    query_ids: list[str]
    rank: np.ndarray
    """1-based rank of the best target: 1 + what scores higher + what scores the same."""
    ties: np.ndarray
    """How many other allowed items score exactly as the best target."""
    allowed: np.ndarray
    """How many gallery items each query was ranked against."""
    target_ids: list[list[str]]
    """The targets that could be found, best first."""
    target_ranks: list[list[int]]
    """Their ranks, in the same order."""
    top: list[list[str]]
    """The ten best items, best first, a target after what scores the same."""
    top_scores: list[list[float]]


@dataclass(frozen=True)
class _Layout:
    """Where targets, candidates and items that are not ranked stand in the scores of some queries."""

    targets: Cells
    hidden: Cells
    """Own references, and the targets: these are counted apart."""
    candidates: Cells | None
    allowed: np.ndarray


def evaluate(retriever: Retriever, task: Task, *, chunk: int = 256, columns: int = COLUMNS) -> Ranks:
    """Return the ranks of every query of the task; blocks of `chunk` queries and `columns` items are held at once.

    Raises:
        ValueError: a score is NaN or infinite, or the scores have another shape than (queries, gallery).
    """
    gallery = sorted(task.gallery, key=lambda item: item.item_id)
    column_of = {item.item_id: column for column, item in enumerate(gallery)}
    item_ids = np.array(list(column_of), dtype=object)
    retriever.index(gallery)
    scorer = Scorer(retriever, gallery, columns)
    rows = scorer.rows_at_once(chunk)
    parts = []
    for start in range(0, len(task.queries), rows):
        queries = task.queries[start : start + rows]
        layout = _lay_out(task, queries, column_of)
        parts.append(_rank(queries, item_ids, layout, scorer.score(queries)))
    return _join(parts)


def _rank(queries: Sequence[Query], item_ids: np.ndarray, layout: _Layout, scores: ScoreBlocks) -> Ranks:
    rows, columns = layout.targets
    target_scores = scores.pair_scores(rows, columns)
    counter = Counter(rows, target_scores, scores.margins_Q[rows], scores.pair_scores)
    best = Best(len(queries), TOP + SPARE)
    for first, block_QC in scores.blocks:
        ranked_QC = _hide(block_QC, first, layout)
        counter.add(ranked_QC, first)
        best.add(ranked_QC, first)
    best.insert(*padded(rows, columns, target_scores, len(queries)))
    top_columns, top_scores = _best_first(best, layout, scores, len(item_ids))

    order = np.lexsort((columns, -target_scores, rows))
    rank = 1 + counter.above[order] + counter.equal[order] + places(rows)
    starts = np.searchsorted(rows, np.arange(len(queries)))
    found = item_ids[columns[order]]
    return Ranks(
        query_ids=[query.query_id for query in queries],
        rank=rank[starts],
        ties=counter.equal[order][starts],
        allowed=layout.allowed,
        target_ids=[part.tolist() for part in np.split(found, starts[1:])],
        target_ranks=[part.tolist() for part in np.split(rank, starts[1:])],
        top=[item_ids[row[row >= 0]].tolist() for row in top_columns],
        top_scores=[row[np.isfinite(row)].tolist() for row in top_scores],
    )


def _lay_out(task: Task, queries: Sequence[Query], column_of: Mapping[str, int]) -> _Layout:
    targets, references, candidates = [], [], []
    allowed = np.zeros(len(queries), dtype=np.int64)
    for row, query in enumerate(queries):
        ranked = column_of if task.candidates is None else task.candidates[query.query_id]
        answers = [item_id for item_id in task.targets[query.query_id] if task.is_allowed(query, item_id)]
        targets += [(row, column) for column in sorted(column_of[item_id] for item_id in answers)]
        allowed[row] = len(ranked)
        if task.exclude_reference and query.reference is not None and query.reference.item_id in column_of:
            references.append((row, column_of[query.reference.item_id]))
            allowed[row] -= query.reference.item_id in ranked
        if task.candidates is not None:
            candidates += [(row, column_of[item_id]) for item_id in ranked]
    return _Layout(
        targets=_cells(targets),
        hidden=_cells(references + targets),
        candidates=None if task.candidates is None else _cells(candidates),
        allowed=allowed,
    )


def _cells(pairs: list[tuple[int, int]]) -> Cells:
    array = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _hide(block_QC: np.ndarray, first: int, layout: _Layout) -> np.ndarray:
    """The block with -inf for targets and for what is not ranked; without candidates it is written over."""
    ranked_QC = block_QC
    if layout.candidates is not None:
        rows, columns = _within(layout.candidates, first, block_QC.shape[1])
        ranked_QC = np.full_like(block_QC, -np.inf)
        ranked_QC[rows, columns] = block_QC[rows, columns]
    ranked_QC[_within(layout.hidden, first, block_QC.shape[1])] = -np.inf
    return ranked_QC


def _within(cells: Cells, first: int, width: int) -> Cells:
    rows, columns = cells
    is_here = (columns >= first) & (columns < first + width)
    return rows[is_here], columns[is_here] - first


def _best_first(best: Best, layout: _Layout, scores: ScoreBlocks, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(columns, exact scores) of the best items, best first, a target after what scores the same; -1 is none."""
    rows, places_K = np.nonzero(np.isfinite(best.scores_QK))
    columns = best.columns_QK[rows, places_K]
    exact_QK = best.scores_QK.copy()
    exact_QK[rows, places_K] = scores.pair_scores(rows, columns)
    is_target_QK = np.zeros(exact_QK.shape, dtype=bool)
    target_rows, target_columns = layout.targets
    is_target_QK[rows, places_K] = np.isin(rows * width + columns, target_rows * width + target_columns)
    order = np.lexsort((best.columns_QK, is_target_QK, -exact_QK), axis=1)[:, :TOP]
    top_scores = np.take_along_axis(exact_QK, order, axis=1)
    top_columns = np.take_along_axis(best.columns_QK, order, axis=1)
    return np.where(np.isfinite(top_scores), top_columns, -1), top_scores


def _join(parts: Sequence[Ranks]) -> Ranks:
    return Ranks(
        query_ids=[value for part in parts for value in part.query_ids],
        rank=np.concatenate([part.rank for part in parts]),
        ties=np.concatenate([part.ties for part in parts]),
        allowed=np.concatenate([part.allowed for part in parts]),
        target_ids=[value for part in parts for value in part.target_ids],
        target_ranks=[value for part in parts for value in part.target_ranks],
        top=[value for part in parts for value in part.top],
        top_scores=[value for part in parts for value in part.top_scores],
    )

"""Where targets, references, candidates and distractors of some queries stand among the columns of a gallery."""

# Shapes: Q queries, G gallery items.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cvr_bench.scoring.ranking import Cells
from cvr_bench.tasks.task import Query, Task


@dataclass(frozen=True)
class Layout:
    """Where targets, candidates and items that are not ranked stand in the scores of some queries."""

    targets: Cells
    hidden: Cells
    """Own references, and the targets: these are counted apart."""
    rivals: Cells | None
    """Candidates that are neither; None where all of the gallery is ranked."""
    allowed: np.ndarray
    own: Cells
    """Own references that stand among what their query is ranked against and do not answer it."""
    keeps_own: bool
    """Whether these are ranked, and so counted with what scores as they do."""
    kinds: Sequence[np.ndarray]
    """(G,) bool per kind of distractor."""


def scoring_distractor_kinds(task: Task, column_of: Mapping[str, int]) -> list[np.ndarray]:
    """(G,) bool per kind of distractor, by name."""
    kind_of = np.array([task.distractor_kinds.get(item_id, "") for item_id in column_of])
    return [kind_of == kind for kind in sorted(set(task.distractor_kinds.values()))]


def scoring_layout_of_queries(
    task: Task, queries: Sequence[Query], column_of: Mapping[str, int], kinds: Sequence[np.ndarray]
) -> Layout:
    """Return the layout of some queries."""
    reference_Q = _reference_columns(queries, column_of)
    own_Q = reference_Q if task.exclude_reference else np.full(len(queries), -1)
    answers: list[frozenset[str]] = [task.targets[query.query_id] for query in queries]
    if task.candidates is not None:
        answers = [ids & task.candidates[query.query_id] for ids, query in zip(answers, queries, strict=True)]
    answering = _listed_cells(answers, column_of)
    targets = answering.take(answering.columns != own_Q[answering.rows])
    referring = np.flatnonzero(own_Q >= 0)
    hidden = Cells(np.concatenate([referring, targets.rows]), np.concatenate([own_Q[referring], targets.columns]))
    own = _ranked_references(task, queries, reference_Q)
    if task.candidates is None:
        return Layout(targets, hidden, None, len(column_of) - (own_Q >= 0), own, not task.exclude_reference, kinds)
    rivals = _rival_cells(task, queries, column_of, hidden)
    counts = [np.bincount(cells.rows, minlength=len(queries)) for cells in (targets, rivals)]
    return Layout(targets, hidden, rivals, counts[0] + counts[1], own, not task.exclude_reference, kinds)


def _reference_columns(queries: Sequence[Query], column_of: Mapping[str, int]) -> np.ndarray:
    """The column of each query's reference, -1 where it has none there."""
    names = [None if query.reference is None else query.reference.item_id for query in queries]
    return np.array([-1 if name is None else column_of.get(name, -1) for name in names])


def _ranked_references(task: Task, queries: Sequence[Query], reference_Q: np.ndarray) -> Cells:
    """Where references would be ranked if they were kept; those that answer their own query are none."""
    rows = []
    for row in np.flatnonzero(reference_Q >= 0).tolist():
        query = queries[row]
        name = query.reference.item_id if query.reference is not None else ""
        is_listed = task.candidates is None or name in task.candidates[query.query_id]
        if is_listed and name not in task.targets[query.query_id]:
            rows.append(row)
    return Cells(np.array(rows, dtype=np.int64), reference_Q[rows])


def _listed_cells(lists: Sequence[frozenset[str]], column_of: Mapping[str, int]) -> Cells:
    """The items of each list, columns rising."""
    sizes = [len(ids) for ids in lists]
    rows = np.repeat(np.arange(len(lists)), sizes)
    columns = np.fromiter((column_of[item_id] for ids in lists for item_id in ids), np.int64, len(rows))
    return Cells(rows, columns if max(sizes, default=0) < 2 else columns[np.lexsort((columns, rows))])


def _rival_cells(task: Task, queries: Sequence[Query], column_of: Mapping[str, int], hidden: Cells) -> Cells:
    """The candidates of each query that are not hidden."""
    assert task.candidates is not None
    lists = [task.candidates[query.query_id] for query in queries]
    sizes = [len(ids) for ids in lists]
    rows = np.repeat(np.arange(len(queries)), sizes)
    distinct = {id(ids): ids for ids in lists}  # queries may share a list
    columns_of = {
        key: np.fromiter((column_of[item_id] for item_id in ids), np.int64, len(ids)) for key, ids in distinct.items()
    }
    columns = np.concatenate([columns_of[id(ids)] for ids in lists])
    width = len(column_of)
    return Cells(rows, columns).take(~np.isin(rows * width + columns, hidden.rows * width + hidden.columns))

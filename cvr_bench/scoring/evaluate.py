"""Rank a task's gallery with a retriever: exact ranks, ties counted against the model, memory bounded by one block.

The gallery is indexed in the order of its ids, so the order in which a task lists it cannot matter. What is kept per
query are numbers, not Python objects: a million queries take some hundred MB.

Chunks run side by side, on threads of one core each: short products spread over cores spend their time in forks
and joins.
"""

# Shapes: Q queries of a chunk, C gallery columns of a block, K best kept.

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from cvr_bench.models.parts.retriever import Retriever
from cvr_bench.scoring.best_items import TOP, Best, Top, best_items, top_scored_items
from cvr_bench.scoring.blocks import COLUMNS, ScoreBlocks, Scorer, map_score_blocks, scoring_thread_count
from cvr_bench.scoring.caption_sets import score_caption_sets
from cvr_bench.scoring.ranking import Cells, Counter, count_scores_above, rank_places
from cvr_bench.tasks.task import Query, Task
from cvr_data.core.errors import CvrError

CHUNK = 1024
"""Queries scored at once."""
PART = 2**16
"""Queries whose lists are one Arrow array."""
CANDIDATES = 2**20
"""Candidates scored at once, where queries have lists of them."""


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Where the targets of each query stand; lists per query are Arrow columns."""

    query_ids: list[str]
    rank: np.ndarray
    """1-based rank of the best target: 1 + what scores higher + what scores the same."""
    ties: np.ndarray
    """How many other allowed items score exactly as the best target."""
    allowed: np.ndarray
    """How many gallery items each query was ranked against."""
    target_ids: pa.ChunkedArray
    """The targets that could be found, best first."""
    target_ranks: pa.ChunkedArray
    """Their ranks, in the same order."""
    top: pa.ChunkedArray
    """The ten best items, best first, a target after what scores the same."""
    top_scores: pa.ChunkedArray
    subset_rank: np.ndarray | None = None
    """`rank` within the query's own set, where the task has such sets."""


@dataclass(frozen=True)
class _Layout:
    """Where targets, candidates and items that are not ranked stand in the scores of some queries."""

    targets: Cells
    hidden: Cells
    """Own references, and the targets: these are counted apart."""
    rivals: Cells | None
    """Candidates that are neither; None where all of the gallery is ranked."""
    allowed: np.ndarray


@dataclass(frozen=True)
class _Counted:
    """What was found of some queries."""

    layout: _Layout
    target_scores: np.ndarray
    counts: np.ndarray
    """Per target, how many score above it and how many the same, (P, 2)."""
    top: Top


@dataclass(kw_only=True)
class _Found:
    """The ranks so far, in memory that is taken once: what is allocated in between would tear it to pieces."""

    rank: np.ndarray
    ties: np.ndarray
    allowed: np.ndarray
    target_starts: np.ndarray
    target_columns: np.ndarray
    target_ranks: np.ndarray
    top: Top
    queries: int = 0

    @classmethod
    def empty(cls, task: Task) -> "_Found":
        """Return room for all queries."""
        queries = len(task.queries)
        targets = sum(map(len, task.targets.values()))
        return cls(
            rank=np.zeros(queries, dtype=np.int64),
            ties=np.zeros(queries, dtype=np.int64),
            allowed=np.zeros(queries, dtype=np.int64),
            target_starts=np.zeros(queries + 1, dtype=np.int64),
            target_columns=np.zeros(targets, dtype=np.int32),
            target_ranks=np.zeros(targets, dtype=np.int64),
            top=Top(np.full((queries, TOP), -1, np.int32), np.zeros((queries, TOP), np.float32)),
        )

    def add(self, counted: _Counted) -> None:
        """Rank the next queries."""
        layout, counts, top = counted.layout, counted.counts, counted.top
        targets, queries = layout.targets, len(layout.allowed)
        order = np.lexsort((targets.columns, -counted.target_scores, targets.rows))
        starts = np.searchsorted(targets.rows, np.arange(queries + 1))
        ranks = 1 + counts[order].sum(axis=1) + rank_places(targets.rows)
        rows = slice(self.queries, self.queries + queries)
        self.rank[rows], self.ties[rows] = ranks[starts[:-1]], counts[order, 1][starts[:-1]]
        self.allowed[rows] = layout.allowed
        first = self.target_starts[self.queries]
        self.target_starts[rows.start + 1 : rows.stop + 1] = first + starts[1:]
        self.target_columns[first : first + len(targets)] = targets.columns[order]
        self.target_ranks[first : first + len(targets)] = ranks
        self.top.columns_QK[rows], self.top.scores_QK[rows] = top.columns_QK, top.scores_QK
        self.queries = rows.stop

    def ranks(self, query_ids: list[str], item_ids: pa.Array) -> Ranks:
        """Return them, with the names of items."""
        is_there = self.top.columns_QK >= 0
        top_starts = np.concatenate([[0], np.cumsum(is_there.sum(axis=1))])
        target_columns = self.target_columns[: self.target_starts[-1]]
        return Ranks(
            query_ids=query_ids,
            rank=self.rank,
            ties=self.ties,
            allowed=self.allowed,
            target_ids=_lists(self.target_starts, target_columns, item_ids),
            target_ranks=_lists(self.target_starts, self.target_ranks),
            top=_lists(top_starts, self.top.columns_QK[is_there], item_ids),
            top_scores=_lists(top_starts, self.top.scores_QK[is_there]),
        )


def evaluate(retriever: Retriever, task: Task, *, chunk: int = CHUNK, columns: int = COLUMNS) -> Ranks:
    """Return the ranks of every query of the task; blocks of `chunk` queries and `columns` items are held at once.

    Raises:
        CvrError: the targets of the task are not known.
        ValueError: a score is NaN or infinite, or the scores have another shape than (queries, gallery).
    """
    if task.is_blind:
        raise CvrError(f"{task.name}: its targets are not published, so its server has to score it (cvr submit).")
    gallery = sorted(task.gallery, key=lambda item: item.item_id)
    column_of = {item.item_id: column for column, item in enumerate(gallery)}
    item_ids = pa.array(column_of, pa.string())
    ranker = score_caption_sets(retriever, gallery)
    ranker.index(gallery)
    scorer = Scorer(ranker, gallery, columns)
    found = _Found.empty(task)
    threads = scoring_thread_count()
    chunks = _chunks(task, scorer.rows_at_once(chunk, threads))
    scored = ((_lay_out(task, queries, column_of), scorer.score(queries)) for queries in chunks)
    for counted in map_score_blocks(_count, scored, threads):
        found.add(counted)
    ranks = found.ranks([query.query_id for query in task.queries], item_ids)
    if task.subset is None:
        return ranks
    within = replace(task, candidates=task.subset, subset=None, subset_ks=(), means={})
    return replace(ranks, subset_rank=evaluate(retriever, within, chunk=chunk, columns=columns).rank)


def _chunks(task: Task, most: int) -> Iterator[Sequence[Query]]:
    """Queries in their order, at most so many, and fewer where their lists of candidates are long."""
    if task.candidates is None:
        yield from (task.queries[start : start + most] for start in range(0, len(task.queries), most))
        return
    start, listed = 0, 0
    for number, query in enumerate(task.queries):
        size = len(task.candidates[query.query_id])
        if number - start == most or (number > start and listed + size > CANDIDATES):
            yield task.queries[start:number]
            start, listed = number, 0
        listed += size
    yield task.queries[start:]


def _count(scored: tuple[_Layout, ScoreBlocks]) -> _Counted:
    layout, scores = scored
    target_scores = scores.pair_scores(layout.targets.rows, layout.targets.columns)
    queries = len(layout.allowed)
    if layout.rivals is None:
        return _Counted(layout, target_scores, *_stream(queries, layout, target_scores, scores))
    rival_scores = scores.pair_scores(layout.rivals.rows, layout.rivals.columns)
    counts = count_scores_above(layout.targets, target_scores, layout.rivals, rival_scores)
    return _Counted(
        layout,
        target_scores,
        counts,
        top_scored_items(layout.rivals, rival_scores, layout.targets, target_scores, queries),
    )


def _stream(queries: int, layout: _Layout, target_scores: np.ndarray, scores: ScoreBlocks) -> tuple[np.ndarray, Top]:
    """(how many score above each target and how many the same, the best items), block by block."""
    counter, best = Counter(layout.targets, target_scores, scores), Best(queries)
    for first, block_QC in scores.blocks(np.arange(queries)):
        block_QC[layout.hidden.within(first, block_QC.shape[1])] = -np.inf
        counter.add(block_QC, first)
        best.add(block_QC, first)
    counts = np.stack([counter.above, counter.equal], axis=1)
    return counts, best_items(best, layout.targets, target_scores, layout.hidden, scores)


def _lay_out(task: Task, queries: Sequence[Query], column_of: Mapping[str, int]) -> _Layout:
    own_Q = _own_columns(task, queries, column_of)
    answers: list[frozenset[str]] = [task.targets[query.query_id] for query in queries]
    if task.candidates is not None:
        answers = [ids & task.candidates[query.query_id] for ids, query in zip(answers, queries, strict=True)]
    answering = _listed(answers, column_of)
    targets = answering.take(answering.columns != own_Q[answering.rows])
    referring = np.flatnonzero(own_Q >= 0)
    hidden = Cells(np.concatenate([referring, targets.rows]), np.concatenate([own_Q[referring], targets.columns]))
    if task.candidates is None:
        return _Layout(targets, hidden, None, len(column_of) - (own_Q >= 0))
    rivals = _rivals(task, queries, column_of, hidden)
    counts = [np.bincount(cells.rows, minlength=len(queries)) for cells in (targets, rivals)]
    return _Layout(targets, hidden, rivals, counts[0] + counts[1])


def _own_columns(task: Task, queries: Sequence[Query], column_of: Mapping[str, int]) -> np.ndarray:
    """The column of each query's reference, -1 where it has none there or keeps it."""
    if not task.exclude_reference:
        return np.full(len(queries), -1)
    names = [None if query.reference is None else query.reference.item_id for query in queries]
    return np.array([-1 if name is None else column_of.get(name, -1) for name in names])


def _listed(lists: Sequence[frozenset[str]], column_of: Mapping[str, int]) -> Cells:
    """The items of each list, columns rising."""
    sizes = [len(ids) for ids in lists]
    rows = np.repeat(np.arange(len(lists)), sizes)
    columns = np.fromiter((column_of[item_id] for ids in lists for item_id in ids), np.int64, len(rows))
    return Cells(rows, columns if max(sizes, default=0) < 2 else columns[np.lexsort((columns, rows))])


def _rivals(task: Task, queries: Sequence[Query], column_of: Mapping[str, int], hidden: Cells) -> Cells:
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


def _lists(starts: np.ndarray, values: np.ndarray, item_ids: pa.Array | None = None) -> pa.ChunkedArray:
    """One list per query, of values or of the items in those columns; in parts, since strings of one are limited."""
    parts = []
    for first in range(0, len(starts) - 1, PART):
        offsets = starts[first : first + PART + 1]
        part = pa.array(values[offsets[0] : offsets[-1]])
        part = part if item_ids is None else item_ids.take(part)
        parts.append(pa.ListArray.from_arrays(pa.array(offsets - offsets[0], pa.int32()), part))
    return pa.chunked_array(parts)

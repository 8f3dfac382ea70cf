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
from cvr_bench.scoring._layout import Layout, scoring_distractor_kinds, scoring_layout_of_queries
from cvr_bench.scoring.best_items import TOP, Best, Top, best_items, top_scored_items
from cvr_bench.scoring.blocks import COLUMNS, ScoreBlocks, Scorer, map_score_blocks, scoring_thread_count
from cvr_bench.scoring.caption_sets import retriever_scoring_caption_sets
from cvr_bench.scoring.ranking import Cells, Counter, count_scores_above, rank_places
from cvr_bench.tasks.task import Query, Task, part_of_task
from cvr_bench.tasks.twins import task_counting_twins
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
    reference_rank: np.ndarray | None = None
    """Where the query's own reference would stand if it were ranked, after what scores the same; 0 where it is not
    among what the query is ranked against."""
    beats_reference: np.ndarray | None = None
    """Whether the best target scores above the reference."""
    subset_rank: np.ndarray | None = None
    """`rank` within the query's own set, where the task has such sets."""
    twin_rank: np.ndarray | None = None
    """`rank` if a copy of a target answers too, where the gallery has copies."""
    kind_ranks: np.ndarray | None = None
    """(Q, kinds) `rank` among the distractors of each kind, then of each type, alone; 0 where a query has none."""


@dataclass(frozen=True)
class _Counted:
    """What was found of some queries."""

    layout: Layout
    target_scores: np.ndarray
    own_scores: np.ndarray
    counts: Sequence[np.ndarray]
    """How many score above and how many the same, (P, 2): for each target, for each reference, and for each target
    among the distractors of each kind."""
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
    reference_rank: np.ndarray
    beats_reference: np.ndarray
    kind_ranks: np.ndarray
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
            reference_rank=np.zeros(queries, dtype=np.int64),
            target_starts=np.zeros(queries + 1, dtype=np.int64),
            target_columns=np.zeros(targets, dtype=np.int32),
            target_ranks=np.zeros(targets, dtype=np.int64),
            beats_reference=np.zeros(queries, dtype=bool),
            kind_ranks=np.zeros((queries, len(set(task.distractor_kinds.values()))), dtype=np.int64),
            top=Top(np.full((queries, TOP), -1, np.int32), np.zeros((queries, TOP), np.float32)),
        )

    def add(self, counted: _Counted) -> None:
        """Rank the next queries."""
        layout, counts, top = counted.layout, counted.counts[0], counted.top
        targets, queries = layout.targets, len(layout.allowed)
        order = np.lexsort((targets.columns, -counted.target_scores, targets.rows))
        starts = np.searchsorted(targets.rows, np.arange(queries + 1))
        ranks = 1 + counts[order].sum(axis=1) + rank_places(targets.rows)
        rows = slice(self.queries, self.queries + queries)
        self.rank[rows], self.ties[rows] = ranks[starts[:-1]], counts[order, 1][starts[:-1]]
        self.allowed[rows] = layout.allowed
        best_scores = counted.target_scores[order][starts[:-1]]
        own = layout.own.rows
        above = count_scores_above(layout.own, counted.own_scores, targets, counted.target_scores)
        self.reference_rank[rows][own] = 1 + counted.counts[1].sum(axis=1) + above.sum(axis=1)
        self.beats_reference[rows][own] = best_scores[own] > counted.own_scores
        for kind, of_kind in enumerate(counted.counts[2:]):
            self.kind_ranks[rows, kind] = 1 + of_kind[order].sum(axis=1)[starts[:-1]]
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
            target_ids=_lists_per_query(self.target_starts, target_columns, item_ids),
            target_ranks=_lists_per_query(self.target_starts, self.target_ranks),
            reference_rank=self.reference_rank,
            beats_reference=self.beats_reference,
            kind_ranks=self.kind_ranks if self.kind_ranks.shape[1] else None,
            top=_lists_per_query(top_starts, self.top.columns_QK[is_there], item_ids),
            top_scores=_lists_per_query(top_starts, self.top.scores_QK[is_there]),
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
    ranker = retriever_scoring_caption_sets(retriever, gallery)
    ranker.index(gallery)
    scorer = Scorer(ranker, gallery, columns)
    found = _Found.empty(task)
    threads = scoring_thread_count()
    chunks = _chunks_of_queries(task, scorer.rows_at_once(chunk))
    kinds = scoring_distractor_kinds(task, column_of)
    scored = ((scoring_layout_of_queries(task, queries, column_of, kinds), scorer.score(queries)) for queries in chunks)
    for counted in map_score_blocks(_count_ranks, scored, threads):
        found.add(counted)
    ranks = found.ranks([query.query_id for query in task.queries], item_ids)
    plain = replace(task, subset=None, subset_ks=(), means={}, twins={}, distractor_kinds={}, distractor_types={})
    if task.subset is not None:
        within = evaluate(retriever, replace(plain, candidates=task.subset), chunk=chunk, columns=columns)
        ranks = replace(ranks, subset_rank=within.rank)
    for of_query in (task.distractor_types[name] for name in sorted(task.distractor_types)):
        found_Q = _ranks_among(retriever, plain, of_query, chunk=chunk, columns=columns)
        known = np.zeros((len(found_Q), 0), np.int64) if ranks.kind_ranks is None else ranks.kind_ranks
        ranks = replace(ranks, kind_ranks=np.concatenate([known, found_Q[:, None]], axis=1))
    if task.twins:
        ranks = replace(ranks, twin_rank=ranks.rank.copy())
    if ranks.twin_rank is not None and (with_twins := task_counting_twins(plain, task.twins)) is not None:
        place_of = {query_id: place for place, query_id in enumerate(ranks.query_ids)}
        counting = evaluate(retriever, with_twins, chunk=chunk, columns=columns)
        ranks.twin_rank[[place_of[query_id] for query_id in counting.query_ids]] = counting.rank
    return ranks


def _ranks_among(
    retriever: Retriever, task: Task, of_query: Mapping[str, frozenset[str]], *, chunk: int, columns: int
) -> np.ndarray:
    """The rank of each query among its own distractors, 0 of a query without any."""
    asked = [query for query in task.queries if query.query_id in of_query]
    lists = {query.query_id: of_query[query.query_id] | task.targets[query.query_id] for query in asked}
    if task.candidates is not None:
        lists = {query_id: ids & task.candidates[query_id] for query_id, ids in lists.items()}
    within = replace(part_of_task(task, asked), candidates=lists)
    found = dict(zip(lists, evaluate(retriever, within, chunk=chunk, columns=columns).rank.tolist(), strict=True))
    return np.array([found.get(query.query_id, 0) for query in task.queries], np.int64)


def _chunks_of_queries(task: Task, most: int) -> Iterator[Sequence[Query]]:
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


def _count_ranks(scored: tuple[Layout, ScoreBlocks]) -> _Counted:
    layout, scores = scored
    found = [(cells, scores.pair_scores(cells.rows, cells.columns)) for cells in (layout.targets, layout.own)]
    targets, queries = found[0], len(layout.allowed)
    if layout.rivals is None:
        return _Counted(layout, targets[1], found[1][1], *_count_block_by_block(queries, layout, found, scores))
    rivals = layout.rivals
    rival_scores = scores.pair_scores(rivals.rows, rivals.columns)
    counts = [count_scores_above(*probes, rivals, rival_scores) for probes in found]
    for is_kind_G in layout.kinds:
        is_kind = is_kind_G[rivals.columns]
        counts.append(count_scores_above(*targets, rivals.take(is_kind), rival_scores[is_kind]))
    counts[1][:, 1] -= layout.keeps_own
    return _Counted(layout, targets[1], found[1][1], counts, top_scored_items(rivals, rival_scores, *targets, queries))


def _count_block_by_block(
    queries: int, layout: Layout, found: Sequence[tuple[Cells, np.ndarray]], scores: ScoreBlocks
) -> tuple[list[np.ndarray], Top]:
    """(how many score above each target and reference and how many the same, the best items), block by block."""
    counters = [Counter(*probes, scores) for probes in found]
    of_kind, best = [Counter(*found[0], scores) for _ in layout.kinds], Best(queries)
    for first, block_QC in scores.blocks(np.arange(queries)):
        block_QC[layout.hidden.within(first, block_QC.shape[1])] = -np.inf
        for counter in counters:
            counter.add(block_QC, first)
        best.add(block_QC, first)
        for is_kind_G, counter in zip(layout.kinds, of_kind, strict=True):
            is_kind_C = is_kind_G[first : first + block_QC.shape[1]]
            counter.add(np.where(is_kind_C, block_QC, np.float32(-np.inf)), first)
    counts = [np.stack([counter.above, counter.equal], axis=1) for counter in (*counters, *of_kind)]
    counts[1][:, 1] -= layout.keeps_own
    return counts, best_items(best, *found[0], layout.hidden, scores)


def _lists_per_query(starts: np.ndarray, values: np.ndarray, item_ids: pa.Array | None = None) -> pa.ChunkedArray:
    """One list per query, of values or of the items in those columns; in parts, since strings of one are limited."""
    parts = []
    for first in range(0, len(starts) - 1, PART):
        offsets = starts[first : first + PART + 1]
        part = pa.array(values[offsets[0] : offsets[-1]])
        part = part if item_ids is None else item_ids.take(part)
        parts.append(pa.ListArray.from_arrays(pa.array(offsets - offsets[0], pa.int32()), part))
    return pa.chunked_array(parts)

"""The scores of some queries against an indexed gallery, block by block, so that the whole matrix is never held.

Two scores are equal when they are the same float32. Those of a retriever that scores by itself are taken as they are;
that of two vectors is the float32 nearest to their exact dot product, whatever a block of a float32 product says.

Gallery items that have the very same vector score the same for every query, without looking.
"""

# Shapes: Q queries of a chunk, G gallery items, C gallery columns of a block, D embedding.

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from cvr_bench.models.parts.retriever import DenseRetriever, Retriever
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.errors import CvrError, first_few

COLUMNS = 1024
"""Gallery columns of a block: with 1024 queries it stays in the cache of two cores."""
MATRIX_BYTES = 2**26
"""Largest (Q, G) matrices asked of a retriever that scores by itself, those of all threads together."""
PAIRS = 512
"""Pairs of vectors multiplied at once: they stay in the cache of one core."""
CELLS = 2**22
"""Numbers checked or compared at once."""

THREADS = 8
"""Threads at most: each holds the blocks of one chunk."""
SMALL = 10**6
"""Parameters below which a network trains in one thread: its products are over before a second thread has begun."""

Thing = TypeVar("Thing")
Found = TypeVar("Found")
PairScores = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(rows, columns) -> float32 scores that do not depend on what else is scored."""
BlockStream = Iterator[tuple[int, np.ndarray]]
"""(first column, float32 scores of a block); the reader may write over a block, and so does the next one."""


@dataclass(frozen=True)
class Copies:
    """Which items have one vector."""

    first_G: np.ndarray
    """Column of the first item with the same vector."""
    number_G: np.ndarray
    """How many earlier items have the same vector."""


@dataclass(frozen=True)
class ScoreBlocks:
    """The scores of some queries."""

    blocks: Callable[[np.ndarray], BlockStream]
    """Rows, rising -> the blocks of those queries."""
    pair_scores: PairScores
    """The exact scores of single cells."""
    margins_Q: np.ndarray
    """How far a block's scores may be from the exact ones, float32; 0 where they are those."""
    copies: Copies | None
    """Gallery items of one vector, which score the same; None where vectors are not known."""


class Scorer:
    """Gives the score blocks of a retriever whose gallery is indexed, `columns` gallery items wide."""

    def __init__(self, retriever: Retriever, gallery: Sequence[Item], columns: int = COLUMNS):
        self.retriever = retriever
        self.gallery = gallery
        self.columns = columns
        self.longest = 0.0
        self.copies: Copies | None = None
        self.own = threading.local()
        if isinstance(retriever, DenseRetriever):
            assert retriever.gallery_GD is not None
            _check_embeddings(retriever.gallery_GD, "gallery item", gallery, lambda item: item.item_id)
            self.longest = float(retriever.gallery_GD.norm(dim=1).max()) * (1 + 1e-5)
            self.copies = equal_scored_gallery_rows(retriever.gallery_GD)

    def rows_at_once(self, chunk: int) -> int:
        """Return how many queries to score at once, at most `chunk`; the same however many threads work on them."""
        if isinstance(self.retriever, DenseRetriever):
            return chunk
        return max(1, min(chunk, MATRIX_BYTES // (4 * len(self.gallery) * THREADS)))

    def score(self, queries: Sequence[Query]) -> ScoreBlocks:
        """Return the scores of the queries.

        Raises:
            CvrError: a score is NaN or infinite, or may be.
            ValueError: the shape is not (queries, gallery).
        """
        if isinstance(self.retriever, DenseRetriever):
            return self._score_dense(self.retriever, queries)
        scores_QG = score_matrix(self.retriever, queries, len(self.gallery))
        return ScoreBlocks(
            blocks=lambda rows: _matrix_blocks(scores_QG, rows, self.columns),
            pair_scores=lambda rows, columns: scores_QG[rows, columns],
            margins_Q=np.zeros(len(queries), dtype=np.float32),
            copies=None,
        )

    def _score_dense(self, retriever: DenseRetriever, queries: Sequence[Query]) -> ScoreBlocks:
        gallery_GD = retriever.gallery_GD
        assert gallery_GD is not None
        queries_QD = retriever.embed(queries)
        _check_embeddings(queries_QD, "query", queries, lambda query: query.query_id)
        _check_products(queries_QD, self.longest, queries)
        return ScoreBlocks(
            blocks=lambda rows: self._product_blocks(queries_QD[torch.from_numpy(rows)], gallery_GD),
            pair_scores=exact_pair_scores(queries_QD, gallery_GD),
            margins_Q=score_rounding_margins(queries_QD, self.longest),
            copies=self.copies,
        )

    def _product_blocks(self, queries_QD: Tensor, gallery_GD: Tensor) -> BlockStream:
        cells = len(queries_QD) * min(self.columns, len(gallery_GD))
        room: Tensor = getattr(self.own, "room", torch.empty(0))
        if len(room) < cells:
            self.own.room = room = torch.empty(cells)  # kept, since memory that comes and goes falls to pieces
        for first in range(0, len(gallery_GD), self.columns):
            part_CD = gallery_GD[first : first + self.columns]
            block_QC = room[: len(queries_QD) * len(part_CD)].view(len(queries_QD), len(part_CD))
            yield first, torch.mm(queries_QD, part_CD.T, out=block_QC).numpy()


def scores_are_exact(retriever: Retriever) -> bool:
    """Return whether scores depend on nothing but query and item; else their last bits may vary with what is beside."""
    return isinstance(retriever, DenseRetriever) or getattr(retriever, "is_exact", False)


def exact_pair_scores(queries_QD: Tensor, gallery_GD: Tensor) -> PairScores:
    """Return a function that gives the float32 nearest to the exact dot product of given pairs."""
    exact_QD = queries_QD.double().numpy()  # a product of two float32 is exact in float64
    rows_GD = gallery_GD.numpy()

    def pair_scores(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        scores = np.empty(len(rows), dtype=np.float32)
        for start in range(0, len(rows), PAIRS):
            pairs = slice(start, start + PAIRS)
            scores[pairs] = np.vecdot(exact_QD[rows[pairs]], rows_GD[columns[pairs]].astype(np.float64))
        return scores

    return pair_scores


def score_rounding_margins(queries_QD: Tensor, longest: float) -> np.ndarray:
    """Return, per query, how far a float32 dot product with a vector of at most that length can be from the exact one.

    Source: the bound n u |x||y| on the rounding error of an inner product summed in any order, Higham, Accuracy and
    Stability of Numerical Algorithms, 2002, section 3.1, plus one rounding of the exact value.
    """
    unit = 2.0**-24
    bound_Q = queries_QD.double().norm(dim=1) * longest
    return ((queries_QD.shape[1] + 2) * unit * bound_Q).float().numpy()


def equal_scored_gallery_rows(gallery_GD: Tensor) -> Copies:
    """Return which rows are the same, bit by bit."""
    keys_G = _vector_keys(gallery_GD)
    _, first, kind_G = np.unique(keys_G, return_index=True, return_inverse=True)
    first_G = first[kind_G]
    own_G = np.arange(len(first_G))
    later = np.flatnonzero(first_G != own_G)
    at_once = max(1, CELLS // gallery_GD.shape[1])
    for start in range(0, len(later), at_once):
        rows = later[start : start + at_once]
        is_other = (gallery_GD[rows] != gallery_GD[first_G[rows]]).any(dim=1).numpy()  # equal keys, other vectors
        first_G[rows[is_other]] = rows[is_other]
    order = np.argsort(first_G, kind="stable")
    number_G = np.empty(len(first_G), dtype=np.int64)
    number_G[order] = own_G - np.searchsorted(first_G[order], first_G[order])
    return Copies(first_G, number_G)


def _vector_keys(gallery_GD: Tensor) -> np.ndarray:
    """A 64-bit hash of each row."""
    draw = np.random.default_rng(0).integers(1, 2**62, gallery_GD.shape[1], dtype=np.int64) | 1
    weights_D = torch.from_numpy(draw)
    chunks = gallery_GD.split(max(1, CELLS // gallery_GD.shape[1]))
    parts = [(part.contiguous().view(torch.int32).long() * weights_D).sum(dim=1) for part in chunks]
    return torch.cat(parts).numpy()


def _check_embeddings(rows: Tensor, what: str, things: Sequence[Thing], name: Callable[[Thing], str]) -> None:
    if rows.ndim != 2 or len(rows) != len(things):
        raise ValueError(f"Expected one embedding per {what}, ({len(things)}, D), got {tuple(rows.shape)}.")
    parts = rows.split(max(1, CELLS // max(1, rows.shape[1])))
    broken = torch.cat([~part.isfinite().all(dim=1) for part in parts]).nonzero().flatten().tolist()
    if broken:
        raise CvrError(f"The embedding of {what} {first_few(name(things[row]) for row in broken)} is NaN or infinite.")


def _check_products(queries_QD: Tensor, longest: float, queries: Sequence[Query]) -> None:
    """Refuse embeddings so long that a product, or a sum on the way to it, may be no float32."""
    lengths_Q = queries_QD.double().norm(dim=1) * longest
    broken = (~(lengths_Q <= torch.finfo(torch.float32).max)).nonzero().flatten().tolist()
    if broken:
        named = first_few(queries[row].query_id for row in broken)
        raise CvrError(f"The scores of query {named} overflow float32: the model's embeddings are too long.")


def score_matrix(retriever: Retriever, queries: Sequence[Query], width: int) -> np.ndarray:
    """Return the scores of queries against a gallery of `width` items, float32.

    Raises:
        CvrError: a score is NaN or infinite.
        ValueError: there are more or fewer.
    """
    with torch.no_grad():
        scores = retriever.score(queries).float().cpu()
    if scores.shape != (len(queries), width):
        raise ValueError(f"Expected scores of shape ({len(queries)}, {width}), got {tuple(scores.shape)}.")
    # A sum is NaN or infinite where a score is; where only the sum overflows, the scores are looked at.
    if not scores.sum(dim=1).isfinite().all() and (
        broken := (~scores.isfinite().all(dim=1)).nonzero().flatten().tolist()
    ):
        raise CvrError(f"A score of query {first_few(queries[row].query_id for row in broken)} is NaN or infinite.")
    return scores.numpy()


def _matrix_blocks(scores_QG: np.ndarray, rows: np.ndarray, columns: int) -> BlockStream:
    for first in range(0, scores_QG.shape[1], columns):
        part_QC = scores_QG[:, first : first + columns]
        yield first, np.array(part_QC, order="C") if len(rows) == len(part_QC) else part_QC[rows]


def scoring_thread_count() -> int:
    """Return how many threads to use: as many as torch may, within bounds."""
    return min(THREADS, torch.get_num_threads())


def map_score_blocks(call: Callable[[Thing], Found], things: Iterable[Thing], threads: int) -> Iterator[Found]:
    """Yield the result of each thing, in order; things are made by the caller's thread, one more than are worked on."""
    if threads == 1:
        yield from map(call, things)
        return
    before = torch.get_num_threads()
    waiting: deque[Future[Found]] = deque()
    try:  # a thread's own setting, but threads that start later would take it over
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for thing in things:
                waiting.append(pool.submit(call, thing))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        torch.set_num_threads(before)


@contextmanager
def scoring_in_few_threads(module: nn.Module) -> Iterator[None]:
    """Train a small network in one thread inside the block; a large one has as many as torch may use."""
    before = torch.get_num_threads()
    if sum(parameter.numel() for parameter in module.parameters()) < SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

"""The k nearest unit vectors of every vector inside a band of cosines: exact, in blocks, the same on every machine.

Products are made block by block in a type that may be coarse (bfloat16, where the hardware multiplies it several times
faster). How far such a product can be from the true one is known from the rounding of the vectors (Cauchy-Schwarz), so
every pair that might be among the k nearest is kept, and those few are computed again in float64. The blocks, the type
and the number of threads therefore cannot change the result; of equal cosines the lower row wins. On an engine of
several processes (`cvr_data.jobs`) a job has some of the queries, and brings the best of each shard of keys together.
"""

# Shapes: N vectors, D embedding, Q queries of a block, K keys of a block, C candidates.

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cvr_data.jobs import Kept, current_engine, keep, mapped_in_order
from cvr_data.progress import Progress

QUERIES, KEYS = 512, 8192
"""Rows and columns of a block of products."""
QUERY_SHARD, KEY_SHARD = 16_384, 262_144
"""Vectors of a job, and those a job has before it at once, where there are several processes."""
RESCORED = 16_384
"""Pairs computed again at once, which bounds the memory."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """What a neighbour must be."""

    k: int
    low: float
    high: float


@dataclass(frozen=True)
class Rows:
    """Some of the vectors."""

    start: int
    """Number of the first among all."""
    vectors_ND: np.ndarray


@dataclass(frozen=True)
class Neighbours:
    """Rows of the vectors, by query and then the nearest first."""

    query: np.ndarray
    neighbour: np.ndarray
    similarity: np.ndarray
    """float64."""


def nearest(vectors_ND: np.ndarray, band: Band, dtype: torch.dtype | None = None) -> Neighbours:
    """Return at most k neighbours of each vector, of those whose cosine is in the band; time grows with N squared.

    Args:
        vectors_ND: float32, unit length along D.
        band: how many neighbours, and of which cosine.
        dtype: of the coarse products; None takes the fastest that this machine multiplies.
    """
    if current_engine().is_here or len(vectors_ND) <= QUERY_SHARD:
        with Progress("find neighbours", len(vectors_ND), "captions") as progress:
            return _found_in(Rows(0, vectors_ND), Rows(0, vectors_ND), band, dtype, progress)
    shards = [keep(vectors_ND[start : start + KEY_SHARD]) for start in range(0, len(vectors_ND), KEY_SHARD)]
    jobs = [(Rows(start, vectors_ND[start : start + QUERY_SHARD]),) for start in range(0, len(vectors_ND), QUERY_SHARD)]
    with Progress("find neighbours", len(vectors_ND)) as progress:
        parts = []
        found = mapped_in_order(nearest_in_shards, jobs, shared=(shards, KEY_SHARD, band, dtype), on_gpu=True)
        for (queries,), part in zip(jobs, found, strict=True):
            parts.append(part)
            progress.advance(len(queries.vectors_ND))
    return _joined(parts)


def nearest_in_shards(
    shards: list[Kept[np.ndarray]], step: int, band: Band, dtype: torch.dtype | None, queries: Rows
) -> Neighbours:
    """Return the k nearest of each query over all shards, `step` rows each: the best of each shard's best."""
    best = _joined([])
    for number, shard in enumerate(shards):
        found = _joined([best, _found_in(queries, Rows(number * step, shard.get()), band, dtype)])
        order = np.lexsort((found.neighbour, -found.similarity, found.query))
        order = order[_ranks(found.query[order]) < band.k]
        best = Neighbours(found.query[order], found.neighbour[order], found.similarity[order])
    return best


def _found_in(
    queries: Rows, keys: Rows, band: Band, dtype: torch.dtype | None, progress: Progress | None = None
) -> Neighbours:
    from cvr_data.encoders._device import device_of, dtype_of, map_batches

    device = device_of("auto")
    is_small = len(keys.vectors_ND) <= KEYS  # computing again what a coarse type leaves in doubt would take longer
    coarse = torch.float32 if is_small else dtype_of("auto", device)
    search = _Search(queries, keys, band, dtype or coarse, device)
    counting = threading.Lock()

    def block(first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        columns = search.block(first)
        if progress:
            with counting:
                progress.advance(min(QUERIES, len(queries.vectors_ND) - first))
        return columns

    found = map_batches(block, range(0, len(queries.vectors_ND), QUERIES), device)
    return _joined([Neighbours(*columns) for columns in found])


def _joined(parts: Sequence[Neighbours]) -> Neighbours:
    empty = Neighbours(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    names = ("query", "neighbour", "similarity")
    return Neighbours(*(np.concatenate([getattr(part, name) for part in (empty, *parts)]) for name in names))


class _Search:
    def __init__(self, queries: Rows, keys: Rows, band: Band, dtype: torch.dtype, device: torch.device):
        self.queries, self.keys, self.band, self.device = queries, keys, band, device
        self.coarse_ND = torch.from_numpy(keys.vectors_ND).to(device, dtype)
        self.coarse_queries_ND = self.coarse_ND
        if queries.vectors_ND is not keys.vectors_ND:
            self.coarse_queries_ND = torch.from_numpy(queries.vectors_ND).to(device, dtype)
        self.error = _error([(queries.vectors_ND, self.coarse_queries_ND), (keys.vectors_ND, self.coarse_ND)])

    def block(self, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (query, neighbour, similarity) of the queries from row `first` on."""
        queries_QD = self.coarse_queries_ND[first : first + QUERIES]
        floor_Q = np.full(len(queries_QD), self.band.low - self.error, np.float32)
        candidates = _Candidates.none()
        for start in range(0, len(self.coarse_ND), KEYS):
            scores_QK = queries_QD @ self.coarse_ND[start : start + KEYS].T
            if start == 0:
                floor_Q = np.maximum(floor_Q, self._first_floor(scores_QK))
            candidates = candidates.joined(self._above(scores_QK, floor_Q, first, start))
            floor_Q = np.maximum(floor_Q, self._floor(candidates, len(floor_Q)))
            candidates = candidates.where(candidates.score >= floor_Q[candidates.query])
        return self._best(first + candidates.query, candidates.neighbour)

    def _first_floor(self, scores_QK: Tensor) -> np.ndarray:
        """Return a floor by all scores of the first block; one place is left to the query itself."""
        k = self.band.k + 1
        if scores_QK.shape[1] < k:
            return np.full(len(scores_QK), -np.inf, np.float32)
        scores = scores_QK.float().cpu().numpy()  # NumPy partitions and compares about twice as fast as torch
        scores = np.where(scores <= self.band.high - self.error, scores, np.float32(-np.inf))
        return self._lowered(np.partition(scores, -k, axis=1)[:, -k])

    def _above(self, scores_QK: Tensor, floor_Q: np.ndarray, first: int, start: int) -> "_Candidates":
        places = np.flatnonzero(_reaches(scores_QK, floor_Q))
        query, key = np.divmod(places, scores_QK.shape[1])
        scores = scores_QK.flatten()[torch.from_numpy(places).to(self.device)].float().cpu().numpy()
        is_other = self.queries.start + first + query != self.keys.start + start + key
        is_wanted = (scores <= self.band.high + self.error) & is_other
        return _Candidates(query[is_wanted], start + key[is_wanted], scores[is_wanted])

    def _floor(self, candidates: "_Candidates", queries: int) -> np.ndarray:
        """Return, by the k-th best score that is surely in the band, below what nothing can be a neighbour."""
        low, high = self.band.low + self.error, self.band.high - self.error
        sure = candidates.where((candidates.score >= low) & (candidates.score <= high))
        order = np.lexsort((-sure.score, sure.query))
        query, score = sure.query[order], sure.score[order]
        is_kth = _ranks(query) == self.band.k - 1
        floor_Q = np.full(queries, -np.inf, np.float32)
        floor_Q[query[is_kth]] = self._lowered(score[is_kth])
        return floor_Q

    def _lowered(self, scores: np.ndarray) -> np.ndarray:
        return scores - np.float32(2 * self.error)

    def _best(self, query: np.ndarray, neighbour: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chunks = [slice(start, start + RESCORED) for start in range(0, len(query), RESCORED)]
        products = [
            _products(self.queries.vectors_ND[query[chunk]], self.keys.vectors_ND[neighbour[chunk]]) for chunk in chunks
        ]
        similarity = np.concatenate([np.empty(0), *products])
        is_in = (similarity >= self.band.low) & (similarity <= self.band.high)
        query, neighbour, similarity = query[is_in], neighbour[is_in], similarity[is_in]
        order = np.lexsort((neighbour, -similarity, query))
        order = order[_ranks(query[order]) < self.band.k]
        return self.queries.start + query[order], self.keys.start + neighbour[order], similarity[order]


@dataclass(frozen=True)
class _Candidates:
    """Pairs that may be neighbours: row in the block, row of all vectors, coarse score."""

    query: np.ndarray
    neighbour: np.ndarray
    score: np.ndarray

    @classmethod
    def none(cls) -> "_Candidates":
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))

    def joined(self, other: "_Candidates") -> "_Candidates":
        names = ("query", "neighbour", "score")
        return _Candidates(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))

    def where(self, is_wanted: np.ndarray) -> "_Candidates":
        return _Candidates(self.query[is_wanted], self.neighbour[is_wanted], self.score[is_wanted])


def _products(first_CD: np.ndarray, second_CD: np.ndarray) -> np.ndarray:
    """Return the float64 product of each row with the other: the same in both directions, and whatever the rest is."""
    return np.einsum("cd,cd->c", first_CD.astype(np.float64), second_CD.astype(np.float64))


def _error(both: Sequence[tuple[np.ndarray, Tensor]]) -> float:
    """Return how far a coarse product can be from the true one: rounded vectors, float32 sums, a rounded result.

    Args:
        both: exact and rounded vectors, of the queries and of the keys.
    """
    norm, distance = 0.0, 0.0
    for exact_ND, coarse_ND in both:
        for start in range(0, len(exact_ND), KEYS):
            exact = torch.from_numpy(exact_ND[start : start + KEYS])
            rounded = coarse_ND[start : start + KEYS].float().cpu()
            norm = max(norm, float(rounded.norm(dim=1).max()), float(exact.norm(dim=1).max()))
            distance = max(distance, float((exact - rounded).norm(dim=1).max()))
    sums = both[0][0].shape[1] * torch.finfo(torch.float32).eps
    return 2 * norm * distance + norm**2 * (sums + torch.finfo(both[0][1].dtype).eps)


def _reaches(scores_QK: Tensor, floor_Q: np.ndarray) -> np.ndarray:
    """Return where a score reaches its row's floor; NumPy compares several times faster than torch.

    bfloat16 scores are compared as the int16 of their bits, which have the order of the numbers where these are not
    negative; a floor below 0 is taken as reached by all.
    """
    if scores_QK.dtype != torch.bfloat16:
        return scores_QK.float().cpu().numpy() >= floor_Q[:, None]
    bits_Q = np.where(floor_Q > 0, floor_Q, 0).astype(np.float32).view(np.int32) >> 16  # rounded down
    floors_Q = np.where(floor_Q > 0, bits_Q, np.iinfo(np.int16).min).astype(np.int16)
    return scores_QK.cpu().view(torch.int16).numpy() >= floors_Q[:, None]


def _ranks(sorted_rows: np.ndarray) -> np.ndarray:
    """Return 0, 1, ... within each run of equal values."""
    if not len(sorted_rows):
        return np.empty(0, np.int64)
    starts = np.flatnonzero(np.diff(sorted_rows, prepend=sorted_rows[0] - 1))
    sizes = np.diff(np.append(starts, len(sorted_rows)))
    return np.arange(len(sorted_rows)) - np.repeat(starts, sizes)

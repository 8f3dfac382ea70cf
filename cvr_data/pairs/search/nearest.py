"""The k nearest unit vectors of every vector inside a band of cosines: exact, in blocks, the same on every machine.

Products are made block by block in a type that may be coarse (bfloat16, where the hardware multiplies it several times
faster). How far such a product can be from the true one is known from the rounding of the vectors (Cauchy-Schwarz), so
every pair that might be among the k nearest is kept, and those few are computed again in float64. The blocks, the type
and the number of threads therefore cannot change the result; of equal cosines the lower row wins. Vectors that are
compared with themselves have each product made once, for both of its rows. Where there are too many, some queries at a
time look at one shard of the keys after the other.
"""

# Shapes: N vectors, D embedding, Q queries of a block, K keys of a block, C candidates.

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from cvr_data.core.errors import CvrError
from cvr_data.pairs.search.floors import Floors

QUERIES, KEYS = 1024, 1024
"""Rows and columns of a block of products, which fits a processor's cache."""
COARSE_FROM = 8192
"""Keys above which a coarse type pays: computing again what it leaves in doubt takes longer for fewer."""
RESCORED = 1024
"""Pairs computed again at once: their vectors fit a processor's cache."""
GATHERED = 8_000_000
"""Candidates after which those that are none by now are left out; fewer take too long to be worth it."""


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


def mined_nearest_neighbours(vectors_ND: np.ndarray, band: Band, dtype: torch.dtype | None = None) -> Neighbours:
    """Return at most k neighbours of each vector, of those whose cosine is in the band; time grows with N squared.

    Args:
        vectors_ND: float32, unit length along D.
        band: how many neighbours, and of which cosine.
        dtype: of the coarse products; None takes the fastest that this machine multiplies.

    Raises:
        CvrError: a vector is not finite.
    """
    both = Rows(0, vectors_ND)
    return _found_in(both, both, band, dtype)


def mined_neighbours_in_shards(
    queries: Rows, shards: Iterable[Rows], band: Band, dtype: torch.dtype | None = None
) -> Neighbours:
    """Return the k nearest of each query over all shards, which are looked at one after the other.

    Raises:
        CvrError: a vector is not finite.
    """
    best = join_neighbours([])
    for shard in shards:
        best = best_mined_neighbours(join_neighbours([best, _found_in(queries, shard, band, dtype)]), band.k)
    return best


def best_mined_neighbours(found: Neighbours, k: int) -> Neighbours:
    """Return the k nearest of each query; of equal cosines the lower row comes first."""
    order = np.lexsort((found.neighbour, -found.similarity, found.query))
    order = order[_neighbour_ranks(found.query[order]) < k]
    return Neighbours(found.query[order], found.neighbour[order], found.similarity[order])


def _found_in(queries: Rows, keys: Rows, band: Band, dtype: torch.dtype | None) -> Neighbours:
    from cvr_data.core.device import map_torch_batches, torch_device_of, torch_dtype_of

    device = torch_device_of("auto")
    is_small = len(keys.vectors_ND) <= COARSE_FROM
    coarse = torch.float32 if is_small else torch_dtype_of("auto", device)
    search = _Search(queries, keys, band, dtype or coarse, device)
    map_torch_batches(search.look, search.blocks(), device)
    return join_neighbours(map_torch_batches(search.nearest_of, search.gathered(), device))


def join_neighbours(parts: Sequence[Neighbours]) -> Neighbours:
    """Return the rows of all."""
    empty = Neighbours(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    names = ("query", "neighbour", "similarity")
    return Neighbours(*(np.concatenate([getattr(part, name) for part in (empty, *parts)]) for name in names))


class _Search:
    def __init__(self, queries: Rows, keys: Rows, band: Band, dtype: torch.dtype, device: torch.device):
        self.queries, self.keys, self.band, self.device = queries, keys, band, device
        self.coarse_ND = torch.from_numpy(keys.vectors_ND).to(device, dtype)
        self.coarse_queries_ND = self.coarse_ND
        self.is_of_all = queries.vectors_ND is keys.vectors_ND
        if not self.is_of_all:
            self.coarse_queries_ND = torch.from_numpy(queries.vectors_ND).to(device, dtype)
        self.error = _nearest_error([(queries.vectors_ND, self.coarse_queries_ND), (keys.vectors_ND, self.coarse_ND)])
        self.floors = Floors(len(queries.vectors_ND), band.k + 1, dtype)  # one place is left to the query itself
        self.found: list[_Candidates] = []
        self.sifted = 0
        self.finding = threading.Lock()

    def blocks(self) -> list[int]:
        """Return the first rows of the blocks of queries; the first, which has most keys to see, before the last."""
        firsts = list(range(0, len(self.coarse_queries_ND), QUERIES))
        return [first for both in zip(firsts, reversed(firsts), strict=True) for first in both][: len(firsts)]

    def look(self, first: int) -> None:
        """Gather what may be neighbours by the products of a block of queries and the keys.

        Where queries and keys are the same, a block has the keys from its own rows on, and each product is looked at
        from both sides.
        """
        queries_QD = self.coarse_queries_ND[first : first + QUERIES]
        found = []
        for start in range(first if self.is_of_all else 0, len(self.coarse_ND), KEYS):
            scores_QK = self.floors.comparable(queries_QD @ self.coarse_ND[start : start + KEYS].T)
            found.append(self._above(scores_QK, first, start))
            later = max(first + len(queries_QD) - start, 0)  # the block's own rows were on both sides
            if self.is_of_all and later < scores_QK.shape[1]:
                found.append(self._above(scores_QK[:, later:].T, start + later, first))
        with self.finding:
            self.found += found
            if sum(len(some.score) for some in self.found) > GATHERED + 2 * self.sifted:
                self._sift()

    def _above(self, scores_QK: Tensor, first: int, start: int) -> "_Candidates":
        """Return the candidates among the keys from `start` on of the queries from `first` on."""
        self.floors.see(first, scores_QK, self.band.high - self.error)
        limits_Q = self.floors.limits(self._known_floor(slice(first, first + len(scores_QK))))
        query, key = _places_above(scores_QK.numpy(), limits_Q)
        scores = self.floors.scores(scores_QK.numpy()[query, key])
        is_other = self.queries.start + first + query != self.keys.start + start + key
        is_wanted = (scores <= self.band.high + self.error) & is_other
        return _Candidates(
            _rows_of_neighbours(first, query[is_wanted]), _rows_of_neighbours(start, key[is_wanted]), scores[is_wanted]
        )

    def _known_floor(self, rows: slice) -> np.ndarray:
        return np.maximum(self._lowered(self.floors.known(rows)), np.float32(self.band.low - self.error))

    def _sift(self) -> None:
        """Keep what is above the floors that are known by now."""
        floor_N = self._known_floor(slice(None))
        self.found = [some.where(some.score >= floor_N[some.query]) for some in self.found]
        self.sifted = sum(len(some.score) for some in self.found)

    def gathered(self) -> list["_Candidates"]:
        """Return the candidates of each block of queries, in the order of the rows."""
        self._sift()
        found = _Candidates.joined(self.found)
        self.found = []
        found = found.where(np.argsort(found.query, kind="stable"))
        cuts = np.searchsorted(found.query, range(0, len(self.queries.vectors_ND) + QUERIES, QUERIES))
        return [found.where(slice(*bounds)) for bounds in pairwise(cuts.tolist())]

    def nearest_of(self, found: "_Candidates") -> Neighbours:
        """Return the neighbours among the candidates of a block of queries."""
        if not len(found.query):
            return join_neighbours([])
        first = int(found.query[0])
        floor_Q = self._floor(found.query - first, found.score)
        found = found.where(found.score >= floor_Q[found.query - first])
        return self._best(found.query.astype(np.int64), found.neighbour.astype(np.int64))

    def _floor(self, query: np.ndarray, score: np.ndarray) -> np.ndarray:
        """Return, by the k-th best score that is surely in the band, below what nothing can be a neighbour."""
        is_sure = (score >= self.band.low + self.error) & (score <= self.band.high - self.error)
        sure_query, sure_score = query[is_sure], score[is_sure]
        order = np.lexsort((-sure_score, sure_query))
        sure_query, sure_score = sure_query[order], sure_score[order]
        is_kth = _neighbour_ranks(sure_query) == self.band.k - 1
        floor_Q = np.full(query[-1] + 1, -np.inf, np.float32)
        floor_Q[sure_query[is_kth]] = self._lowered(sure_score[is_kth])
        return floor_Q

    def _lowered(self, scores: np.ndarray) -> np.ndarray:
        return scores - np.float32(2 * self.error)

    def _best(self, query: np.ndarray, neighbour: np.ndarray) -> Neighbours:
        chunks = [slice(start, start + RESCORED) for start in range(0, len(query), RESCORED)]
        products = [
            mining_cosines(self.queries.vectors_ND[query[chunk]], self.keys.vectors_ND[neighbour[chunk]])
            for chunk in chunks
        ]
        similarity = np.concatenate([np.empty(0), *products])
        is_in = (similarity >= self.band.low) & (similarity <= self.band.high)
        query, neighbour, similarity = query[is_in], neighbour[is_in], similarity[is_in]
        return best_mined_neighbours(
            Neighbours(self.queries.start + query, self.keys.start + neighbour, similarity), self.band.k
        )


@dataclass(frozen=True)
class _Candidates:
    """Pairs that may be neighbours: int32 rows of the queries and of the keys, coarse score."""

    query: np.ndarray
    neighbour: np.ndarray
    score: np.ndarray

    @classmethod
    def joined(cls, parts: "Sequence[_Candidates]") -> "_Candidates":
        empty = cls(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))
        names = ("query", "neighbour", "score")
        return cls(*(np.concatenate([getattr(part, name) for part in (empty, *parts)]) for name in names))

    def where(self, wanted: np.ndarray | slice) -> "_Candidates":
        return _Candidates(self.query[wanted], self.neighbour[wanted], self.score[wanted])


def _rows_of_neighbours(first: int, places: np.ndarray) -> np.ndarray:
    return (first + places).astype(np.int32)


def _places_above(scores_QK: np.ndarray, limits_Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (query, key) of the scores that reach their query's limit; looks at the memory in its own order."""
    is_above = scores_QK >= limits_Q[:, None]
    if is_above.flags.c_contiguous:
        query, key = np.divmod(np.flatnonzero(is_above), is_above.shape[1])
    else:
        key, query = np.divmod(np.flatnonzero(is_above.T), is_above.shape[0])
    return query, key


def mining_cosines(first_CD: np.ndarray, second_CD: np.ndarray) -> np.ndarray:
    """Return the float64 product of each row with the other: the same in both directions, and whatever the rest is."""
    return np.einsum("cd,cd->c", first_CD.astype(np.float64), second_CD.astype(np.float64))


def _nearest_error(both: Sequence[tuple[np.ndarray, Tensor]]) -> float:
    """Return how far a coarse product can be from the true one: rounded vectors, float32 sums, a rounded result.

    Args:
        both: exact and rounded vectors, of the queries and of the keys.

    Raises:
        CvrError: a value is NaN or infinite, next to which no bound holds, and neighbours of others would be lost.
    """
    norm, distance = 0.0, 0.0
    for exact_ND, coarse_ND in both:
        for start in range(0, len(exact_ND), KEYS):
            exact = torch.from_numpy(exact_ND[start : start + KEYS])
            rounded = coarse_ND[start : start + KEYS].float().cpu()
            if not rounded.isfinite().all():
                raise CvrError("The vector of a text has a value that is no finite number: encode in float32 instead.")
            norm = max(norm, float(rounded.norm(dim=1).max()), float(exact.norm(dim=1).max()))
            distance = max(distance, float((exact - rounded).norm(dim=1).max()))
    sums = both[0][0].shape[1] * torch.finfo(torch.float32).eps
    return 2 * norm * distance + norm**2 * (sums + torch.finfo(both[0][1].dtype).eps)


def _neighbour_ranks(sorted_rows: np.ndarray) -> np.ndarray:
    """Return 0, 1, ... within each run of equal values."""
    if not len(sorted_rows):
        return np.empty(0, np.int64)
    starts = np.flatnonzero(np.diff(sorted_rows, prepend=sorted_rows[0] - 1))
    sizes = np.diff(np.append(starts, len(sorted_rows)))
    return np.arange(len(sorted_rows)) - np.repeat(starts, sizes)

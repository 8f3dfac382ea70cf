"""Most of the k nearest vectors of each, by an inverted file of FAISS: only vectors of the nearest cells are compared.

A sample of the vectors, drawn by a seed, is clustered; each vector belongs to the cell of its nearest centroid. A query
is compared with the vectors of the cells whose centroids are nearest to it. What is found is computed again in float64
as an exact search does (`nearest`), so only who is found is left to chance, never how near it is. FAISS runs on one
thread: on one kind of processor the same vectors give the same bytes. It comes with the extra `faiss`.

Source: IndexIVFFlat of https://github.com/facebookresearch/faiss, Johnson et al. 2019 (https://arxiv.org/abs/1702.08734).
"""

# Shapes: N vectors, C centroids, D embedding, Q queries, P cells that a query looks into, K candidates of a query.

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.core.mapped_rows import mapped_rows_array, mapped_rows_column
from cvr_data.core.parts import Bucket, artifact_bucket_table, read_artifact_bucket
from cvr_data.pairs.search.nearest import Band, Neighbours, Rows, best_mined_neighbours, join_neighbours, mining_cosines

SEED = 0
TRAINING = 262_144
"""Vectors that are clustered, at most: they are in memory at once."""
OF_EACH = 39
"""Vectors of a centroid in training, at most: FAISS asks for so many at least, and more take longer for little."""
ROUNDS = 6
"""Of k-means."""
FURTHER = 32
"""Candidates beyond k, as those above the band take places until they are left out."""
ROUNDING = 1e-4
"""How far a float32 product of unit vectors may be from the true one, and more."""
RESCORED = 1024


@dataclass(frozen=True)
class InvertedFile:
    """How the vectors are cut into cells."""

    probes: int
    """Cells that a query looks into."""

    def cells(self, total: int) -> int:
        """Return how many cells so many vectors have: about four times their square root, a power of two."""
        return max(1, min(total, 2 ** round(np.log2(4 * max(total, 1) ** 0.5))))

    def sample(self, total: int) -> np.ndarray:
        """Return the rows, of so many, that are clustered."""
        size = min(total, TRAINING, OF_EACH * self.cells(total))
        return np.sort(np.random.default_rng(SEED).choice(total, size, replace=False))


def check_mining_index_installed(what: str, instead: str) -> None:
    """Stop before the work begins. Raises CvrError: FAISS is not installed."""
    if find_spec("faiss") is None:
        raise CvrError(f"{what} needs FAISS: pip install 'cvr[faiss]', or {instead}.")


def mining_cell_centroids(inverted: InvertedFile, sample_ND: np.ndarray, total: int) -> pa.Table:
    """Return the centroids of the cells, unit length."""
    faiss, cells = _search_faiss(), inverted.cells(total)
    found = faiss.Kmeans(
        sample_ND.shape[1], cells, niter=ROUNDS, seed=SEED, spherical=True, min_points_per_centroid=1,
        max_points_per_centroid=len(sample_ND),
    )  # fmt: skip
    found.train(sample_ND)
    return pa.table({"centroid": mapped_rows_column(found.centroids)})


def load_mining_centroids(bucket: Bucket) -> np.ndarray:
    """Return the centroids that lie there."""
    return mapped_rows_array(artifact_bucket_table(bucket).column("centroid"))


def mining_cells(inverted: InvertedFile, rows_ND: np.ndarray, centroids_CD: np.ndarray) -> pa.Table:
    """Return the cells that each vector looks into, the nearest first: that one it belongs to."""
    quantizer = _inverted_file_quantizer(centroids_CD)
    _, cells_NP = quantizer.search(rows_ND, min(inverted.probes, len(centroids_CD)))
    return pa.table({"cells": mapped_rows_column(cells_NP.astype(np.int32))})


def load_mining_cells(bucket: Bucket) -> pa.ChunkedArray:
    """Return the cells that lie there, which are read where they lie."""
    return pa.concat_tables(read_artifact_bucket(bucket)).column("cells")


def mined_neighbours_in_cells(
    queries: Rows, shards: Iterable[Rows], band: Band, centroids_CD: np.ndarray, cells: pa.ChunkedArray
) -> Neighbours:
    """Return at most k neighbours in the band of each query, of those in the cells that it looks into.

    Args:
        queries: whose neighbours are looked for.
        shards: all vectors, some at a time.
        band: what a neighbour must be.
        centroids_CD: of the cells.
        cells: of all vectors, as `mining_cells` gives them.
    """
    cells_QP = _cells_of(cells, queries).astype(np.int64)
    best = join_neighbours([])
    for shard in shards:
        index = _filled_inverted_file(shard.vectors_ND, _cells_of(cells, shard)[:, 0].astype(np.int64), centroids_CD)
        index.nprobe = cells_QP.shape[1]
        most = min(band.k + FURTHER, len(shard.vectors_ND))
        unused_QP = np.zeros(cells_QP.shape, np.float32)  # how near the centroids are
        scores_QK, rows_QK = index.search_preassigned(queries.vectors_ND, most, cells_QP, unused_QP)
        best = best_mined_neighbours(
            join_neighbours([best, _in_band(queries, shard, scores_QK, rows_QK, band)]), band.k
        )
    return best


def _search_faiss() -> Any:
    import faiss

    faiss.omp_set_num_threads(1)
    return faiss


def _inverted_file_quantizer(centroids_CD: np.ndarray) -> Any:
    quantizer = _search_faiss().IndexFlatIP(centroids_CD.shape[1])
    quantizer.add(centroids_CD)
    return quantizer


def _cells_of(cells: pa.ChunkedArray, rows: Rows) -> np.ndarray:
    return mapped_rows_array(cells.slice(rows.start, len(rows.vectors_ND)))


def _filled_inverted_file(rows_ND: np.ndarray, cell_N: np.ndarray, centroids_CD: np.ndarray) -> Any:
    """Return an index of vectors whose cells are known."""
    faiss, quantizer = _search_faiss(), _inverted_file_quantizer(centroids_CD)
    index = faiss.IndexIVFFlat(quantizer, rows_ND.shape[1], len(centroids_CD), faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True
    numbers = np.arange(len(rows_ND), dtype=np.int64)
    index.add_core(len(rows_ND), *(faiss.swig_ptr(each) for each in (rows_ND, numbers, cell_N)))
    return index


def _in_band(queries: Rows, shard: Rows, scores_QK: np.ndarray, rows_QK: np.ndarray, band: Band) -> Neighbours:
    """Return the candidates that are neighbours, their cosines computed again; of each query more than k at most."""
    is_wanted = (rows_QK >= 0) & (scores_QK >= band.low - ROUNDING) & (scores_QK <= band.high + ROUNDING)
    is_wanted &= rows_QK + shard.start != np.arange(len(rows_QK))[:, None] + queries.start
    # Scores fall along a row, so the first ones are the nearest; some more, as rounding may have turned two around.
    is_wanted &= np.cumsum(is_wanted, axis=1) <= band.k + 4
    query, place = np.nonzero(is_wanted)
    row = rows_QK[query, place]
    chunks = [slice(start, start + RESCORED) for start in range(0, len(query), RESCORED)]
    products = [mining_cosines(queries.vectors_ND[query[chunk]], shard.vectors_ND[row[chunk]]) for chunk in chunks]
    similarity = np.concatenate([np.empty(0), *products])
    is_in = (similarity >= band.low) & (similarity <= band.high)
    found = Neighbours(query[is_in] + queries.start, row[is_in] + shard.start, similarity[is_in])
    return best_mined_neighbours(found, band.k)

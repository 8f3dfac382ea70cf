"""The nearest of all stored vectors, in jobs of some queries each: exact, or by an inverted file of FAISS.

What is compared lies on disk in numbered rows (`core.mapped_rows`). A job has a run of these numbers for queries and
brings one shard after the other before it, so it holds two of them however many there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cvr_data.core.mapped_rows import MappedRows, all_of
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import Side, Step
from cvr_data.pairs.search.inverted_file import (
    InvertedFile,
    load_mining_cells,
    load_mining_centroids,
    mined_neighbours_in_cells,
    mining_cell_centroids,
    mining_cells,
)
from cvr_data.pairs.search.nearest import Band, Neighbours, Rows, mined_neighbours_in_shards

QUERIES, KEYS = 16_384, 131_072
"""Vectors of a job, and those it has before it at once."""
PROBING = 65_536
"""Queries of a job with an inverted file, which makes one of each shard: for more of them that is done less often."""


@dataclass(frozen=True)
class _Blocks:
    size: int
    total: int


def mine_neighbours(run: StageRun, vectors: Side, total: int, band: Band, inverted: InvertedFile | None = None) -> Flow:
    """Return `query`, `neighbour` (numbers of rows) and `similarity` of at most k neighbours of each row.

    Args:
        run: of the stage that asks.
        vectors: `MappedRows` with VECTOR, unit length.
        total: how many rows.
        band: what a neighbour must be.
        inverted: where most of the neighbours will do; None compares every two rows.

    Raises:
        CvrError: a vector is not finite, or FAISS is not installed.
    """
    inverted = inverted if total else None  # there is nothing to train
    keys, queries = _Blocks(KEYS, total), _Blocks(QUERIES if inverted is None else PROBING, total)
    if inverted is None:
        found = Step(
            name="search", run=_nearest_of_block, config=(queries, keys, band), sides=(vectors,), on_gpu=True, **_RENEWS
        )
        return _neighbour_blocks(run, queries).then(found)
    train = Step(name="train", run=_trained_inverted_file, config=(inverted, total), sides=(vectors,), **_RENEWS)
    centroids = run.side(_neighbour_blocks(run, _Blocks(total, total)).then(train), load_mining_centroids)
    assign = Step(
        name="cells", run=_cells_of_inverted_file, config=(keys, inverted), sides=(vectors, centroids), **_RENEWS
    )
    cells = Side(load_mining_cells, (all_of(run.rested(_neighbour_blocks(run, keys).then(assign), is_mapped=True)),))
    about = (queries, keys, band)
    search = Step(name="search", run=_probed_neighbours, config=about, sides=(vectors, centroids, cells), **_RENEWS)
    return _neighbour_blocks(run, queries).then(search)


_RENEWS = {"makes_rows": True, "is_counted": False}


def _neighbour_blocks(run: StageRun, of: _Blocks) -> Flow:
    """Return a part for each block: the number of its first row."""
    return run.made("blocks", lambda: (pa.table({"start": [start]}) for start in _starts_of_blocks(of)))


def _starts_of_blocks(of: _Blocks) -> range:
    return range(0, max(of.total, 1), max(of.size, 1))


def _shards_to_search(of: _Blocks, vectors: MappedRows) -> Iterator[Rows]:
    return (_neighbour_rows(of, start, vectors) for start in _starts_of_blocks(of))


def _neighbour_rows(of: _Blocks, start: int, vectors: MappedRows) -> Rows:
    return Rows(start, vectors.vectors(np.arange(start, min(start + of.size, of.total))))


def _start_of_neighbour_block(block: pa.Table) -> int:
    return block.column("start").to_pylist()[0]


def _nearest_of_block(about: tuple[_Blocks, _Blocks, Band], block: pa.Table, vectors: MappedRows) -> pa.Table:
    of, keys, band = about
    queries = _neighbour_rows(of, _start_of_neighbour_block(block), vectors)
    # Rows that are all there are have each product made once.
    return _neighbours_table(
        mined_neighbours_in_shards(
            queries, [queries] if of.total <= of.size else _shards_to_search(keys, vectors), band
        )
    )


def _trained_inverted_file(about: tuple[InvertedFile, int], block: pa.Table, vectors: MappedRows) -> pa.Table:
    inverted, total = about
    return mining_cell_centroids(inverted, vectors.vectors(inverted.sample(total)), total)


def _cells_of_inverted_file(
    about: tuple[_Blocks, InvertedFile], block: pa.Table, vectors: MappedRows, centroids_CD: np.ndarray
) -> pa.Table:
    of, inverted = about
    return mining_cells(
        inverted, _neighbour_rows(of, _start_of_neighbour_block(block), vectors).vectors_ND, centroids_CD
    )


def _probed_neighbours(
    about: tuple[_Blocks, _Blocks, Band], block: pa.Table, vectors: MappedRows, centroids_CD: np.ndarray,
    cells: pa.ChunkedArray,
) -> pa.Table:  # fmt: skip
    of, keys, band = about
    queries = _neighbour_rows(of, _start_of_neighbour_block(block), vectors)
    return _neighbours_table(
        mined_neighbours_in_cells(queries, _shards_to_search(keys, vectors), band, centroids_CD, cells)
    )


def _neighbours_table(found: Neighbours) -> pa.Table:
    return pa.table({"query": found.query, "neighbour": found.neighbour, "similarity": found.similarity})

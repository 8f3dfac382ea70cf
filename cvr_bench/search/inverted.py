"""Most of the nearest videos among more than a million, by FAISS: only those of some cells are looked at.

The cells are those of `cvr_data.pairs.search.inverted_file`, their vectors have one byte a number, and the candidates
are multiplied again in float32, so that chance decides who is found, never the score. How many of the best it finds is
measured on the library itself against the exact search, which answers until the index stands.
"""

# Shapes: N rows, D embedding, C candidates, Q queries.

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from cvr_bench.search.nearest import Asked, Best, Nearest
from cvr_data.core.mapped_rows import mapped_rows_array
from cvr_data.pairs.search.inverted_file import InvertedFile, check_mining_index_installed, mining_cell_centroids

PROBES = 256
"""Cells that a query looks into, of some thousands: 64 of 4,096 found 0.92 of the best in 3.5 ms."""
FURTHER = 10
"""Candidates per video that is wanted: bytes put some in the wrong order."""
TRIED = 100
"""Queries by which the recall is measured."""
TRIED_K = 10
PIECE = 65_536


class Inverted:
    """Finds the best rows of a query in the cells that are nearest to it."""

    def __init__(self, nearest: Nearest, on_rows: Callable[[int], None] = lambda count: None, probes: int = PROBES):
        check_mining_index_installed("a search of more than a million videos in part", "search them all (--exact)")
        self.nearest = nearest
        # Python would let go of the quantizer, which the index only points to.
        self._index, self._quantizer = _filled_index(nearest.rows.rows_ND.numpy(), InvertedFile(probes), on_rows)
        self.recall = search_index_recall(self)

    def best(self, asked: Asked) -> Best:
        """Return the k best of those that lie in the cells; of fewer, those there are."""
        _, rows_QC = self._index.search(asked.query_D[None].numpy(), asked.k * FURTHER)
        rows_C = torch.from_numpy(rows_QC[0])
        return self.nearest.among(asked, rows_C[rows_C >= 0].sort().values)


def search_index_recall(inverted: Inverted, k: int = TRIED_K, tried: int = TRIED) -> float:
    """Return the share of the k best of composed queries, each between two videos drawn by a seed, that is found."""
    rows = inverted.nearest.rows
    draw = np.random.default_rng(0)
    both_Q2 = torch.from_numpy(draw.integers(0, len(rows), (tried, 2)))
    queries_QD = torch.nn.functional.normalize(rows.rows_ND[both_Q2].mean(1), dim=-1)
    asked = [Asked(query_D=query_D, k=k) for query_D in queries_QD]
    exact = inverted.nearest.best(asked)
    found = [inverted.best(each) for each in asked]
    both = zip(exact, found, strict=True)
    return float(np.mean([len({*one.rows} & {*other.rows}) / len(one.rows) for one, other in both]))


def _filled_index(rows_ND: np.ndarray, how: InvertedFile, on_rows: Callable[[int], None]) -> tuple[Any, Any]:
    import faiss

    sample_ND = np.ascontiguousarray(rows_ND[how.sample(len(rows_ND))])
    centroids_CD = mapped_rows_array(mining_cell_centroids(how, sample_ND, len(rows_ND)).column("centroid"))
    quantizer = faiss.IndexFlatIP(rows_ND.shape[1])
    quantizer.add(centroids_CD)
    bits, product = faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexIVFScalarQuantizer(quantizer, rows_ND.shape[1], len(centroids_CD), bits, product, False)
    index.train(sample_ND)
    for start in range(0, len(rows_ND), PIECE):
        index.add(rows_ND[start : start + PIECE])
        on_rows(len(rows_ND[start : start + PIECE]))
    index.nprobe = min(how.probes, len(centroids_CD))
    return index, quantizer

"""Exact ranks without a sort: count what scores above each target, block by block, and keep the few best.

Where scores come from a float32 matrix product, whose last bits depend on block shapes, every score too close to a
target's to tell is computed again from the two vectors alone, so that ties are exact and neither block size nor gallery
order can change a rank.
"""

# Shapes: Q queries of a chunk, C gallery columns of a block, P probes (a query and one of its targets), K best kept.

import numpy as np
import torch

from cvr_bench.score_blocks import PairScores

CROWD = 64
"""More new entries per query than this are merged through a top-k of the block, fewer one by one."""


class Counter:
    """Counts, for each probe, the block entries that score above it and those that score the same.

    Args:
        rows: query of each probe, rising.
        scores: exact score of each probe, float32.
        margins: how far a block's scores may be from exact ones, per probe, float32; all 0 where they are exact.
        pair_scores: the exact scores of cells.
    """

    def __init__(self, rows: np.ndarray, scores: np.ndarray, margins: np.ndarray, pair_scores: PairScores):
        self.scores = scores
        self.pair_scores = pair_scores
        self.above = np.zeros(len(rows), dtype=np.int64)
        self.equal = np.zeros(len(rows), dtype=np.int64)
        self.is_exact = not margins.any()
        self.low = scores if self.is_exact else np.nextafter(scores - margins, np.float32(-np.inf))
        self.high = scores if self.is_exact else np.nextafter(scores + margins, np.float32(np.inf))
        self.slots = _slots(rows)

    def add(self, block_QC: np.ndarray, first_column: int) -> None:
        """Count one block; entries that may not be ranked, and the targets themselves, are -inf in it."""
        for rows, probes in self.slots:
            scores_QC = block_QC if len(rows) == len(block_QC) else block_QC[rows]
            above_QC = scores_QC > self.high[probes, None]
            reach_QC = scores_QC >= self.low[probes, None]
            above = np.count_nonzero(above_QC, axis=1)
            self.above[probes] += above
            if self.is_exact:
                self.equal[probes] += np.count_nonzero(reach_QC, axis=1) - above
            else:
                close = np.flatnonzero(np.logical_xor(above_QC, reach_QC, out=reach_QC))
                near, columns = np.divmod(close, block_QC.shape[1])
                self._count_close(rows[near], probes[near], columns + first_column)

    def _count_close(self, rows: np.ndarray, probes: np.ndarray, columns: np.ndarray) -> None:
        exact = self.pair_scores(rows, columns)
        self.above += np.bincount(probes[exact > self.scores[probes]], minlength=len(self.above))
        self.equal += np.bincount(probes[exact == self.scores[probes]], minlength=len(self.equal))


class Best:
    """Keeps the K best columns of each query; -1 where there are fewer."""

    def __init__(self, queries: int, k: int):
        self.scores_QK = np.full((queries, k), -np.inf, dtype=np.float32)
        self.columns_QK = np.full((queries, k), -1, dtype=np.int64)

    def add(self, block_QC: np.ndarray, first_column: int) -> None:
        """Let a block's entries take the places of worse ones."""
        k = self.scores_QK.shape[1]
        better = np.flatnonzero(block_QC > self.scores_QK.min(axis=1)[:, None])
        if not len(better):
            return
        if len(better) > CROWD * len(block_QC) and block_QC.shape[1] > k:
            top = torch.from_numpy(block_QC).topk(k, dim=1)
            scores_QN, columns_QN = top.values.numpy(), top.indices.numpy()
        else:
            rows, columns = np.divmod(better, block_QC.shape[1])
            scores_QN, columns_QN = padded(rows, columns, block_QC[rows, columns], len(block_QC))
        self.insert(scores_QN, columns_QN + first_column)

    def insert(self, scores_QN: np.ndarray, columns_QN: np.ndarray) -> None:
        """Let N scores per query take the places of worse ones."""
        scores = np.concatenate([self.scores_QK, scores_QN], axis=1)
        columns = np.concatenate([self.columns_QK, columns_QN], axis=1)
        kept = torch.from_numpy(scores).topk(self.scores_QK.shape[1], dim=1).indices.numpy()
        self.scores_QK = np.take_along_axis(scores, kept, axis=1)
        self.columns_QK = np.take_along_axis(columns, kept, axis=1)


def padded(rows: np.ndarray, columns: np.ndarray, scores: np.ndarray, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Return cells sorted by row as (scores_QN, columns_QN), N the most cells of one query; the rest is -inf and -1."""
    place = places(rows)
    scores_QN = np.full((queries, int(place.max(initial=-1)) + 1), -np.inf, dtype=np.float32)
    columns_QN = np.full(scores_QN.shape, -1, dtype=np.int64)
    scores_QN[rows, place] = scores
    columns_QN[rows, place] = columns
    return scores_QN, columns_QN


def places(rows: np.ndarray) -> np.ndarray:
    """Return how many earlier entries have the same row; `rows` rise."""
    return np.arange(len(rows)) - np.searchsorted(rows, rows)


def _slots(rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(rows, probes) of the first target of every query, then of the second where there is one, and so on."""
    place = places(rows)
    probes_of = [np.flatnonzero(place == slot) for slot in range(int(place.max(initial=-1)) + 1)]
    return [(rows[probes], probes) for probes in probes_of]

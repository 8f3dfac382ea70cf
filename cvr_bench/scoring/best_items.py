"""The few best gallery items of each query, exactly, while the scores stream by.

The best of float32 blocks are kept, some more than asked for. Where exact scores then leave a doubt, because an item
that was not kept could belong among the best, the query's blocks are read a second time.
"""

# Shapes: Q queries of a chunk, C gallery columns of a block, T tiles of a block, K best kept.

from dataclasses import dataclass

import numpy as np
import torch

from cvr_bench.scoring.blocks import ScoreBlocks
from cvr_bench.scoring.ranking import Cells, rank_places

TOP = 10
"""Best items kept per query."""
SPARE = 6
"""Items kept beyond those, because float32 products may misorder the last ones."""
TILE = 8
"""Entries of which the largest is looked at first: the k-th largest of those is a floor of the k best."""
CROWD = 64
"""More new entries per query than this are cut to the k best of the block, fewer are merged one by one."""
SECOND_LOOK = 2**21
"""Scores read at once when a query is looked at again."""


@dataclass(frozen=True)
class Top:
    """The ten best items per query, best first, a target after what scores the same; -1 where there are fewer."""

    columns_QK: np.ndarray
    scores_QK: np.ndarray


class Best:
    """Keeps the K best entries of each query; of equal ones those that came first, or rather the lowest columns.

    Entries that beat what is kept wait, and are merged after blocks 1, 2, 4, 8 ...: as many wait for each merge, and
    there are few merges.
    """

    def __init__(self, queries: int, k: int = TOP + SPARE):
        self.scores_QK = np.full((queries, k), -np.inf, dtype=np.float32)
        self.columns_QK = np.full((queries, k), -1, dtype=np.int64)
        self.waiting: list[tuple[Cells, np.ndarray]] = []
        self.blocks = 0

    @property
    def worst_Q(self) -> np.ndarray:
        """The score that an entry has to beat."""
        return self.scores_QK[:, -1]

    def add(self, block_QC: np.ndarray, first_column: int) -> None:
        """Let a block's entries wait for the places of worse ones."""
        k = self.scores_QK.shape[1]
        is_first = not np.isfinite(self.worst_Q).any()
        floor_Q = _floor_of_scores(block_QC, k) if is_first else self.worst_Q
        cells = Cells(*np.divmod(np.flatnonzero(block_QC > floor_Q[:, None]), block_QC.shape[1]))
        if len(cells) > CROWD * len(block_QC) and block_QC.shape[1] > k:
            cells = _top_cells(block_QC, k)
        self.blocks += 1
        if len(cells):
            scores = block_QC[cells.rows, cells.columns]
            self.waiting.append((Cells(cells.rows, cells.columns + first_column), scores))
        is_crowded = sum(len(scores) for _, scores in self.waiting) > CROWD * len(block_QC)
        if is_crowded or self.blocks & (self.blocks - 1) == 0:
            self.merge()

    def merge(self) -> None:
        """Let the entries that wait take the places of worse ones."""
        if not self.waiting:
            return
        rows = np.concatenate([cells.rows for cells, _ in self.waiting])
        order = np.argsort(rows, kind="stable")
        columns = np.concatenate([cells.columns for cells, _ in self.waiting])[order]
        entries = np.concatenate([scores for _, scores in self.waiting])[order]
        self.waiting = []
        k = self.scores_QK.shape[1]
        scores_QN, columns_QN = _padded_cells(Cells(rows[order], columns), entries, len(self.scores_QK))
        scores_QM = np.concatenate([self.scores_QK, scores_QN], axis=1)
        columns_QM = np.concatenate([self.columns_QK, columns_QN], axis=1)
        kept = np.argsort(-scores_QM, axis=1, kind="stable")[:, :k]
        self.scores_QK = np.take_along_axis(scores_QM, kept, axis=1)
        self.columns_QK = np.take_along_axis(columns_QM, kept, axis=1)


def best_items(best: Best, targets: Cells, target_scores: np.ndarray, hidden: Cells, scores: ScoreBlocks) -> Top:
    """Return the ten best of what was kept and of the targets, exactly.

    `best` has seen all blocks of `scores`, in which the hidden cells, the targets among them, were -inf.
    """
    best.merge()
    queries = len(best.scores_QK)
    rows, places_K = np.nonzero(np.isfinite(best.scores_QK))
    kept = Cells(rows, best.columns_QK[rows, places_K])
    top = top_scored_items(kept, scores.pair_scores(kept.rows, kept.columns), targets, target_scores, queries)
    reach_Q = np.nextafter(best.worst_Q + scores.margins_Q, np.float32(np.inf))
    in_doubt = (scores.margins_Q > 0) & np.isfinite(best.worst_Q) & (top.scores_QK[:, -1] <= reach_Q)
    doubtful = np.flatnonzero(in_doubt)
    at_once = max(1, SECOND_LOOK // (scores.copies.first_G.size if scores.copies else 1))
    for start in range(0, len(doubtful), at_once):
        rows = doubtful[start : start + at_once]
        lowest = np.nextafter(top.scores_QK[rows, -1] - scores.margins_Q[rows], np.float32(-np.inf))
        cells = _reaching(rows, lowest, hidden, scores)
        exact = scores.pair_scores(cells.rows, cells.columns)
        own = np.isin(targets.rows, rows)
        again = top_scored_items(cells, exact, targets.take(own), target_scores[own], queries)
        top.columns_QK[rows], top.scores_QK[rows] = again.columns_QK[rows], again.scores_QK[rows]
    return top


def top_scored_items(cells: Cells, exact: np.ndarray, targets: Cells, target_scores: np.ndarray, queries: int) -> Top:
    """Return the ten best of some cells, none of them a target, and of the targets."""
    rows = np.concatenate([cells.rows, targets.rows])
    columns = np.concatenate([cells.columns, targets.columns])
    scores = np.concatenate([exact, target_scores])
    # Whole numbers that rise with the row, and within one as the score falls: quicker to sort than both.
    bits = (0.0 - scores).astype(np.float32).view(np.int32)  # the bits of a float32 rise with it, but for the sign
    falling = np.where(bits < 0, ~bits ^ np.int32(-(2**31)), bits)
    order = np.lexsort((columns + (np.arange(len(rows)) >= len(cells)) * 2**32, rows * 2**32 + falling))
    order = order[rank_places(rows[order]) < TOP]
    place = rank_places(rows[order])
    top = Top(np.full((queries, TOP), -1), np.full((queries, TOP), -np.inf, dtype=np.float32))
    top.columns_QK[rows[order], place] = columns[order]
    top.scores_QK[rows[order], place] = scores[order]
    return top


def _reaching(rows: np.ndarray, lowest: np.ndarray, hidden: Cells, scores: ScoreBlocks) -> Cells:
    """What reaches a score, of the given queries; of copies no more than could be among the best."""
    place_of = np.full(len(scores.margins_Q), -1)
    place_of[rows] = np.arange(len(rows))
    mine = hidden.take(place_of[hidden.rows] >= 0)
    mine = Cells(place_of[mine.rows], mine.columns)
    copies = TOP + int(np.bincount(mine.rows, minlength=1).max())
    found = []
    for first, block_QC in scores.blocks(rows):
        block_QC[mine.within(first, block_QC.shape[1])] = -np.inf
        cells = Cells(*np.nonzero(block_QC >= lowest[:, None]))
        cells = Cells(rows[cells.rows], cells.columns + first)
        found.append(cells if scores.copies is None else cells.take(scores.copies.number_G[cells.columns] < copies))
    return Cells(np.concatenate([part.rows for part in found]), np.concatenate([part.columns for part in found]))


def _floor_of_scores(block_QC: np.ndarray, k: int) -> np.ndarray:
    """A score that at least k entries of each row beat, close to the k-th best; -inf where the block is too narrow."""
    tiles = block_QC.shape[1] // TILE
    if tiles < k:
        return np.full(len(block_QC), -np.inf, dtype=np.float32)
    highest_QT = torch.from_numpy(block_QC)[:, : tiles * TILE].unflatten(1, (TILE, tiles)).amax(dim=1).numpy()
    floor_Q = np.partition(highest_QT, tiles - k, axis=1)[:, tiles - k]
    return np.nextafter(floor_Q, np.float32(-np.inf))


def _top_cells(block_QC: np.ndarray, k: int) -> Cells:
    """The k best entries of each row, columns rising; of equal ones the lowest columns."""
    top = torch.from_numpy(block_QC).topk(k, dim=1, sorted=False)
    columns_QK, last_Q = top.indices.numpy(), top.values.amin(dim=1).numpy()
    for row in np.flatnonzero(np.count_nonzero(block_QC >= last_Q[:, None], axis=1) > k):
        above, same = np.flatnonzero(block_QC[row] > last_Q[row]), np.flatnonzero(block_QC[row] == last_Q[row])
        columns_QK[row] = np.concatenate([above, same[: k - len(above)]])
    return Cells(np.repeat(np.arange(len(block_QC)), k), np.sort(columns_QK, axis=1).ravel())


def _padded_cells(cells: Cells, scores: np.ndarray, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells with rising rows as (scores_QN, columns_QN), N the most cells of one query; the rest is -inf and -1."""
    place = rank_places(cells.rows)
    scores_QN = np.full((queries, int(place.max(initial=-1)) + 1), -np.inf, dtype=np.float32)
    columns_QN = np.full(scores_QN.shape, -1, dtype=np.int64)
    scores_QN[cells.rows, place] = scores
    columns_QN[cells.rows, place] = cells.columns
    return scores_QN, columns_QN

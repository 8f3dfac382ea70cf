"""Exact ranks without a sort: count what scores above each target, block by block.

Where scores come from a float32 matrix product, whose last bits depend on block shapes, every score too close to a
target's to tell is computed again from the two vectors alone, so that ties are exact and neither block size nor gallery
order can change a rank. An item with the target's own vector ties with it, without computing.
"""

# Shapes: Q queries of a chunk, C gallery columns of a block, P probes (a query and one of its targets), K best kept.

from dataclasses import dataclass

import numpy as np

from cvr_bench.scoring.blocks import ScoreBlocks

WORDS = 128
"""Words of eight flags added up at once: fewer than 256, so that no byte runs over."""


@dataclass(frozen=True)
class Cells:
    """Places in the scores of some queries."""

    rows: np.ndarray
    columns: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def within(self, first: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (rows, columns) of those inside a block, as the block counts columns."""
        is_here = (self.columns >= first) & (self.columns < first + width)
        return self.rows[is_here], self.columns[is_here] - first

    def take(self, which: np.ndarray) -> "Cells":
        """Return some of them."""
        return Cells(self.rows[which], self.columns[which])


class Counter:
    """Counts, for each probe (query and target, queries rising), what scores above it and what scores the same."""

    def __init__(self, probes: Cells, scores: np.ndarray, source: ScoreBlocks):
        self.probes = probes
        self.scores = scores
        self.source = source
        self.above = np.zeros(len(probes), dtype=np.int64)
        self.equal = np.zeros(len(probes), dtype=np.int64)
        margins = source.margins_Q[probes.rows]
        self.is_exact = not margins.any()
        self.low = scores if self.is_exact else np.nextafter(scores - margins, np.float32(-np.inf))
        self.high = scores if self.is_exact else np.nextafter(scores + margins, np.float32(np.inf))
        # the first target of every query, then the second where there is one, and so on
        place = rank_places(probes.rows)
        probes_of = [np.flatnonzero(place == slot) for slot in range(int(place.max(initial=-1)) + 1)]
        self.slots = [(probes.rows[found], found) for found in probes_of]

    def add(self, block_QC: np.ndarray, first_column: int) -> None:
        """Count one block; entries that may not be ranked, and the targets themselves, are -inf in it."""
        for rows, probes in self.slots:
            scores_QC = block_QC if len(rows) == len(block_QC) else block_QC[rows]
            reach_QC = scores_QC >= self.low[probes, None]
            above_QC = scores_QC > self.high[probes, None]
            reach, above = count_flagged_scores(reach_QC), count_flagged_scores(above_QC)
            self.above[probes] += above
            if self.is_exact:
                self.equal[probes] += reach - above
            elif (reach > above).any():
                close = np.flatnonzero(np.logical_xor(above_QC, reach_QC, out=reach_QC))
                near, columns = np.divmod(close, block_QC.shape[1])
                self._count_close(probes[near], columns + first_column)

    def _count_close(self, probes: np.ndarray, columns: np.ndarray) -> None:
        copies = self.source.copies
        if copies is not None:
            is_copy = copies.first_G[columns] == copies.first_G[self.probes.columns[probes]]
            self.equal += np.bincount(probes[is_copy], minlength=len(self.equal))
            probes, columns = probes[~is_copy], columns[~is_copy]
        exact = self.source.pair_scores(self.probes.rows[probes], columns)
        self.above += np.bincount(probes[exact > self.scores[probes]], minlength=len(self.above))
        self.equal += np.bincount(probes[exact == self.scores[probes]], minlength=len(self.equal))


def count_scores_above(probes: Cells, scores: np.ndarray, rivals: Cells, rival_scores: np.ndarray) -> np.ndarray:
    """Return, per probe, how many rivals of its query score above it and how many the same, (P, 2)."""
    values, places_of = np.unique(np.concatenate([rival_scores, scores]), return_inverse=True)
    keys = np.concatenate([rivals.rows, probes.rows]) * len(values) + places_of
    rival_keys, probe_keys = np.sort(keys[: len(rivals)]), keys[len(rivals) :]
    same, above = np.searchsorted(rival_keys, probe_keys), np.searchsorted(rival_keys, probe_keys, side="right")
    ends = np.searchsorted(rival_keys, (probes.rows + 1) * len(values))
    return np.stack([ends - above, above - same], axis=1)


def count_flagged_scores(flags_QC: np.ndarray) -> np.ndarray:
    """Return how many flags of each row are set; eight at a time where rows divide into words."""
    if flags_QC.shape[1] % 8 or not flags_QC.flags.c_contiguous:
        return np.count_nonzero(flags_QC, axis=1)
    words_QW = flags_QC.view(np.uint64)
    sums = [words_QW[:, start : start + WORDS].sum(axis=1) for start in range(0, words_QW.shape[1], WORDS)]
    return np.stack(sums, axis=1).view(np.uint8).sum(axis=1, dtype=np.int64)


def rank_places(rows: np.ndarray) -> np.ndarray:
    """Return how many earlier entries have the same row; `rows` rise."""
    return np.arange(len(rows)) - np.searchsorted(rows, rows)

"""The videos whose vectors are nearest to a query, exactly, though most are looked at in eight bits only.

Each row has a copy of one byte a number. A product with the copy is off by no more than the length of the query times
what rounding took from the row, so that a row which is further below the k-th best than twice that cannot be one of the
best. The others, some hundreds of a million, are multiplied again in float32: what is found is what a product with
every row finds, for a quarter of the memory that is read.
"""

# Shapes: N rows, D embedding, Q queries, C candidates, K best.

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SMALL = 20_000
"""Of fewer rows there is no copy: they are multiplied as they are."""
PIECE = 65_536
"""Rows that are rounded at once."""
GROUP = 64
"""Rows of which the best product alone is looked at, to find the k-th best."""
WHOLE = 64
"""Rows and width of the copy are whole multiples of it, or the product would read beyond its end."""
MOST_BYTES = 2**30
TOGETHER = 4
"""Queries that one product takes: the copy is read once for so many."""
HALF_STEP = 2.0**-8
"""How far a number is from its bfloat16 at most, as a share of it."""
FEW = 0.05
"""Share of the rows that may be candidates; where more are, all are multiplied."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One query: the vector that rows should be near, and one, of the other space, that they should be far from."""

    query_D: Tensor
    away_D: Tensor | None = None
    k: int


@dataclass(frozen=True)
class Best:
    """The best rows of a query, best first; of equal ones the first."""

    rows: list[int]
    scores: list[float]


class Rows:
    """Vectors, with a copy of one byte a number where there are many."""

    def __init__(self, rows_ND: Tensor, on_rows: Callable[[int], None] = lambda count: None, small: int = SMALL):
        self.rows_ND = rows_ND
        self.bytes_ND: Tensor | None = None
        if len(rows_ND) > small:
            self._round_rows(on_rows)

    def __len__(self) -> int:
        return len(self.rows_ND)

    def _round_rows(self, on_rows: Callable[[int], None]) -> None:
        rows, width = (-(-size // WHOLE) * WHOLE for size in self.rows_ND.shape)
        bytes_ND = torch.zeros(rows, width, dtype=torch.int8)
        self.steps_N = torch.ones(rows, dtype=torch.bfloat16)
        self.lost, self.longest = 0.0, 0.0
        for start in range(0, len(self.rows_ND), PIECE):
            rows_ND = self.rows_ND[start : start + PIECE]
            steps_N = (rows_ND.abs().amax(1) / 126).clamp(min=1e-12).bfloat16()  # 126: steps may be rounded down
            whole_ND = (rows_ND / steps_N.float()[:, None]).round_().clamp_(-127, 127)
            bytes_ND[start : start + len(rows_ND), : rows_ND.shape[1]] = whole_ND
            self.steps_N[start : start + len(rows_ND)] = steps_N
            near_ND = whole_ND * steps_N.float()[:, None]
            self.lost = max(self.lost, float((rows_ND - near_ND).norm(dim=1).max()))
            self.longest = max(self.longest, float(near_ND.norm(dim=1).max()))
            on_rows(len(rows_ND))
        self.bytes_ND = bytes_ND

    def rough(self, queries_QD: Tensor) -> tuple[Tensor, Tensor]:
        """Return the product of each query and each row, about, and by how much each query's may be off."""
        if self.bytes_ND is None:
            return queries_QD @ self.rows_ND.T, torch.zeros(len(queries_QD))
        near_QD = queries_QD.bfloat16()
        padded_QD = torch.nn.functional.pad(near_QD, (0, self.bytes_ND.shape[1] - near_QD.shape[1]))
        products_QN = torch.cat([self._products(part_QD) for part_QD in padded_QD.split(TOGETHER)])
        products_QN = products_QN[:, : len(self.rows_ND)]
        off_Q = queries_QD.norm(dim=1) * self.lost + (queries_QD - near_QD.float()).norm(dim=1) * self.longest
        return products_QN, off_Q + HALF_STEP * near_QD.float().norm(dim=1) * self.longest

    def _products(self, near_QD: Tensor) -> Tensor:
        """The product of some queries and each row of the copy, in pieces whose bytes 32 bits can count."""
        assert self.bytes_ND is not None
        rows = MOST_BYTES // self.bytes_ND.shape[1] // WHOLE * WHOLE
        pieces = zip(self.bytes_ND.split(rows), self.steps_N.split(rows), strict=True)
        parts = [torch._weight_int8pack_mm(near_QD, bytes_ND, steps_N) for bytes_ND, steps_N in pieces]
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


class Nearest:
    """Finds the best rows; `far` has the vectors of the same videos that a query may want to be far from."""

    def __init__(self, rows: Rows, far: Rows | None = None):
        self.rows = rows
        self.far = far

    def best(self, asked: Sequence[Asked]) -> list[Best]:
        """Return the k best rows of each query by the sum of its products."""
        scores_QN, off_Q = self.rows.rough(torch.stack([each.query_D for each in asked]))
        exact = self.rows.bytes_ND is None
        found = []
        for each, scores_N, off in zip(asked, scores_QN, off_Q.tolist(), strict=True):
            if each.away_D is not None and self.far is not None:
                far_QN, far_off_Q = self.far.rough(each.away_D[None])
                scores_N, off = scores_N.float() + far_QN[0].float(), off + float(far_off_Q[0])
            found.append(self._best_of_all(each, scores_N) if exact else self._best_of_rough(each, scores_N, off))
        return found

    def among(self, asked: Asked, rows_C: Tensor) -> Best:
        """Return the k best of some rows."""
        scores_C = self.rows.rows_ND[rows_C] @ asked.query_D
        if asked.away_D is not None and self.far is not None:
            scores_C += self.far.rows_ND[rows_C] @ asked.away_D
        order_K = torch.argsort(scores_C, descending=True, stable=True)[: asked.k]
        return Best(rows_C[order_K].tolist(), scores_C[order_K].tolist())

    def _best_of_all(self, asked: Asked, scores_N: Tensor) -> Best:
        k = min(asked.k, len(scores_N))
        rows_C = (scores_N >= scores_N.topk(k).values[-1]).nonzero()[:, 0] if k else torch.empty(0, dtype=torch.int64)
        order_K = torch.argsort(scores_N[rows_C], descending=True, stable=True)[:k]
        return Best(rows_C[order_K].tolist(), scores_N[rows_C[order_K]].tolist())

    def _best_of_rough(self, asked: Asked, scores_N: Tensor, off: float) -> Best:
        if asked.k * GROUP <= len(scores_N):
            whole = len(scores_N) // GROUP * GROUP  # what is left over can only raise the k-th best
            groups = scores_N[:whole].view(-1, GROUP).amax(1).float()
            kth = float(groups.topk(asked.k).values[-1])
            low = kth - 2 * off - HALF_STEP * (abs(kth) + 2 * off)  # it is rounded when it is compared
            rows_C = (scores_N >= low).nonzero()[:, 0]
        if asked.k * GROUP > len(scores_N) or len(rows_C) > FEW * len(scores_N):
            rows_C = torch.arange(len(scores_N))
        return self.among(asked, rows_C)

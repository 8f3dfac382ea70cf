"""One score matrix under every protocol that it can answer, side by side.

    for row in result_under_protocols(read_result(Path("results/fdca-webvid-covr"))): ...

The same scores give other numbers under other rules: whether the reference is ranked, how repeated targets and ties
count, whether targets are pooled with the help of labels, whether scores are changed in the light of other queries.
"""

# Shapes: Q queries, R rows of a chunk, G gallery items, C gallery columns, B queries of the bank.

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvr_bench.results.result import Result
from cvr_bench.results.score_matrix import ScoreMatrix, read_result_scores
from cvr_bench.scoring.metrics import chance_recall
from cvr_bench.tasks.protocol import Protocol
from cvr_data.core.errors import CvrError

ROWS = 256
DUAL_SCALE = 100.0
"""Cosines are multiplied by this before the softmax of dual softmax, as CLIP's temperature does."""
BANK_SCALE = 20.0
"""Inverse temperature of QB-Norm (Bogolin et al., CVPR 2022, https://arxiv.org/abs/2112.12777)."""


@dataclass(frozen=True)
class MatrixRanks:
    """Where the best target of each query stands under one protocol."""

    above: np.ndarray
    """(Q,) float64: how many items score above it; infinite where no target is ranked."""
    ties: np.ndarray
    """How many items, targets left out, score as it does."""
    equal_targets: np.ndarray
    """How many targets score as it does, itself among them."""
    allowed: np.ndarray
    targets: np.ndarray
    """How many of the allowed items are targets."""

    @property
    def rank(self) -> np.ndarray:
        """(Q,) float64: 1-based ranks, ties counted against the model."""
        return 1 + self.above + self.ties

    def hits(self, k: int, ties: str) -> np.ndarray:
        """Return (Q,) float64: whether a target is among the K best; how probably, where ties are at random.

        Of m places that are left for t other items and s targets with equal scores, all go to others in C(t, m) of
        C(t + s, m) cases; for one target the rest is m / (t + 1).
        """
        if ties != "random":
            return (1 + self.above + (self.ties if ties == "against" else 0) <= k).astype(np.float64)
        block, missed = self.ties + self.equal_targets, np.ones(len(self.above))
        places = np.clip(k - self.above, 0, block)
        for number in range(int(self.equal_targets.max(initial=0))):
            is_one = number < self.equal_targets
            others = np.clip(block - places - number, 0, None) / np.maximum(block - number, 1)
            missed = np.where(is_one, missed * others, missed)
        return 1 - missed


@dataclass(frozen=True)
class ProtocolRow:
    """One line of the table."""

    name: str
    protocol: Protocol
    ranks: MatrixRanks | None
    why_not: str = ""
    """Why the scores at hand cannot answer this protocol."""

    def recall(self, k: int) -> float:
        """Return R@K in percent."""
        assert self.ranks is not None
        return 100 * float(self.ranks.hits(k, self.protocol.ties).mean())

    def chance(self, k: int) -> float:
        """Return what chance would reach."""
        assert self.ranks is not None
        return chance_recall(self.ranks.allowed, self.ranks.targets, k)


def result_protocols(base: Protocol) -> dict[str, Protocol]:
    """Return name -> protocol; `base` is what the result was scored under."""
    strict = dataclasses.replace(
        base, reference="exclude", ties="against", target_pooling="mean", post_processing="none"
    )
    paper = dataclasses.replace(strict, gallery="targets" if base.gallery in ("targets", "named") else base.gallery)
    covr = dataclasses.replace(paper, gallery="per-query", ties="random", target_pooling="query-annotation")
    return {
        "strict": strict,
        "strict, reference kept": dataclasses.replace(strict, reference="keep"),
        "paper": paper,
        "reference-code: CoVR": covr,
        "reference-code: CoVR, mean pooling": dataclasses.replace(covr, target_pooling="mean"),
        "reference-code: FDCA": dataclasses.replace(strict, ties="random"),
        "reference-code: MTEB": dataclasses.replace(strict, reference="keep", ties="random"),
        "strict + dual softmax": dataclasses.replace(strict, post_processing="dual-softmax"),
        "strict + QB-Norm": dataclasses.replace(strict, post_processing="qb-norm"),
    }


def result_under_protocols(result: Result) -> list[ProtocolRow]:
    """Return the result's scores under every preset. Raises CvrError: the result was made without --save-scores."""
    if (matrix := read_result_scores(result.path)) is None:
        raise CvrError(f"{result.path} holds no score matrix; make it again with cvr bench --save-scores --overwrite.")
    rows = []
    for name, protocol in result_protocols(result.protocol).items():
        reason = _why_not(matrix, protocol, name, result.protocol)
        rows.append(ProtocolRow(name, protocol, None if reason else result_ranks_under(matrix, protocol), reason))
    return rows


def result_protocols_json(rows: Sequence[ProtocolRow], ks: Sequence[int]) -> list[dict[str, Any]]:
    """Return the rows as JSON values."""
    return [
        {
            "name": row.name,
            "protocol": row.protocol.to_json(),
            "recalls": {f"R@{k}": row.recall(k) for k in ks} if row.ranks is not None else None,
            "why_not": row.why_not or None,
        }
        for row in rows
    ]


def _why_not(matrix: ScoreMatrix, protocol: Protocol, name: str, base: Protocol) -> str:
    if name.startswith("strict") and base.gallery == "targets":
        return "the gallery holds targets only; score with -D gallery=named"
    if protocol.target_pooling == "query-annotation" and matrix.pooled_QQ is None:
        return "the benchmark's files hold no scores of target frames"
    if protocol.post_processing == "qb-norm" and matrix.bank_BG is None:
        return "there are no train queries to make a query bank of"
    if protocol.gallery == "per-query" and matrix.candidates is not None:
        return "each query has candidates of its own"
    return ""


def result_ranks_under(matrix: ScoreMatrix, protocol: Protocol) -> MatrixRanks:
    """Return exact ranks under a protocol; a chunk of rows is held at once."""
    processed = _PostProcessing(matrix, protocol.post_processing)
    of_targets = protocol.gallery == "targets"
    columns = np.unique(np.concatenate(matrix.targets)) if of_targets else np.arange(len(matrix.item_ids))
    parts = []
    for start in range(0, len(matrix.query_ids), ROWS):
        rows = np.arange(start, min(start + ROWS, len(matrix.query_ids)))
        if protocol.gallery == "per-query":
            parts.append(_rank_per_query(matrix, rows, protocol, processed))
        else:
            parts.append(_rank_matrix(matrix, rows, columns, protocol, processed.rows(rows)[:, columns]))
    return MatrixRanks(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _rank_matrix(
    matrix: ScoreMatrix, rows: np.ndarray, columns: np.ndarray, protocol: Protocol, scores_RC: np.ndarray
) -> tuple[np.ndarray, ...]:
    place_of = np.full(len(matrix.item_ids), -1)
    place_of[columns] = np.arange(len(columns))
    allowed_RC = np.full(scores_RC.shape, matrix.candidates is None)
    is_target_RC = np.zeros(scores_RC.shape, dtype=bool)
    for number, row in enumerate(rows):
        if matrix.candidates is not None:
            listed = place_of[matrix.candidates[row]]
            allowed_RC[number, listed[listed >= 0]] = True
        is_target_RC[number, place_of[matrix.targets[row]]] = True
        reference = matrix.references[row]
        if protocol.reference == "exclude" and reference >= 0 and place_of[reference] >= 0:
            allowed_RC[number, place_of[reference]] = False
    return _rank_counts(scores_RC, allowed_RC, is_target_RC)


def _rank_per_query(
    matrix: ScoreMatrix, rows: np.ndarray, protocol: Protocol, processed: "_PostProcessing"
) -> tuple[np.ndarray, ...]:
    """One gallery column per query, so that a target of several queries stands there several times."""
    answers = np.array([found[0] for found in matrix.targets])
    if protocol.target_pooling == "query-annotation" and matrix.pooled_QQ is not None:
        scores_RQ = np.asarray(matrix.pooled_QQ[rows])
    else:
        scores_RQ = processed.rows(rows)[:, answers]
    allowed_RQ = np.ones(scores_RQ.shape, dtype=bool)
    if protocol.reference == "exclude":
        allowed_RQ &= matrix.references[rows][:, None] != answers[None, :]
    is_target_RQ = np.zeros(scores_RQ.shape, dtype=bool)
    is_target_RQ[np.arange(len(rows)), rows] = True
    return _rank_counts(scores_RQ, allowed_RQ, is_target_RQ)


def _rank_counts(scores_RC: np.ndarray, allowed_RC: np.ndarray, is_target_RC: np.ndarray) -> tuple[np.ndarray, ...]:
    """What MatrixRanks holds of some queries, in its order."""
    findable_RC = is_target_RC & allowed_RC
    best_R1 = np.where(findable_RC, scores_RC, -np.inf).max(axis=1, keepdims=True)
    rivals_RC = allowed_RC & ~is_target_RC
    above = np.where(np.isfinite(best_R1[:, 0]), ((scores_RC > best_R1) & rivals_RC).sum(axis=1), np.inf)
    is_equal_RC = scores_RC == best_R1
    equal, equal_targets = ((is_equal_RC & among_RC).sum(axis=1) for among_RC in (rivals_RC, findable_RC))
    return above, equal, equal_targets, allowed_RC.sum(axis=1), np.maximum(findable_RC.sum(axis=1), 1)


class _PostProcessing:
    """Scores changed in the light of other queries: all test queries, or a bank of train queries."""

    def __init__(self, matrix: ScoreMatrix, kind: str):
        self.matrix, self.kind = matrix, kind
        if kind == "dual-softmax":
            self.log_sum_G = _log_sum_exp(matrix.scores_QG, DUAL_SCALE)
        elif kind == "qb-norm":
            assert matrix.bank_BG is not None
            self.log_sum_G = _log_sum_exp(matrix.bank_BG, BANK_SCALE)
            self.is_hub_G = np.zeros(len(matrix.item_ids), dtype=bool)
            self.is_hub_G[np.concatenate([part.argmax(axis=1) for part in _query_chunks(matrix.bank_BG)])] = True

    def rows(self, rows: np.ndarray) -> np.ndarray:
        """(R, G): the scores of some queries after processing."""
        scores_RG = np.asarray(self.matrix.scores_QG[rows])
        if self.kind == "dual-softmax":
            prior_RG = np.exp(DUAL_SCALE * scores_RG.astype(np.float64) - self.log_sum_G)
            return scores_RG * prior_RG
        if self.kind == "qb-norm":
            log_RG = BANK_SCALE * scores_RG.astype(np.float64) - self.log_sum_G
            is_changed = self.is_hub_G[scores_RG.argmax(axis=1)]
            return np.where(is_changed[:, None], log_RG, scores_RG)
        return scores_RG


def _log_sum_exp(scores_NG: np.ndarray, scale: float) -> np.ndarray:
    """(G,): log of the sum over rows of exp(scale * score), a chunk of rows at a time."""
    top_G = np.full(scores_NG.shape[1], -np.inf)
    for part in _query_chunks(scores_NG):
        top_G = np.maximum(top_G, part.max(axis=0))
    total_G = np.zeros(scores_NG.shape[1])
    for part in _query_chunks(scores_NG):
        total_G += np.exp(scale * (part.astype(np.float64) - top_G)).sum(axis=0)
    return scale * top_G + np.log(total_G)


def _query_chunks(scores_NG: np.ndarray) -> Sequence[np.ndarray]:
    return [np.asarray(scores_NG[start : start + ROWS]) for start in range(0, len(scores_NG), ROWS)]

"""Results measured again with what is known of more answers, beside their plain recalls."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cvr_bench.audit.positives.pool import audit_pool_ranking
from cvr_bench.results.result import Result
from cvr_bench.scoring.condensed import best_rank, bpref, condensed_ranking
from cvr_bench.scoring.metrics import recall

KS = (1, 5, 10)


def audit_results_with_positives(
    results: Sequence[Result], grades: Mapping[str, Mapping[str, int]]
) -> list[dict[str, Any]]:
    """Return, per result, plain R@K, R@K where found answers count, R@K of condensed lists, and bpref.

    `is_whole` says whether the whole order is known (`cvr bench --save-scores`); else condensed lists and bpref are of
    the ten best alone, and left out.
    """
    return [{"path": str(result.path), "name": result.model, **_measured(result, grades)} for result in results]


def _measured(result: Result, grades: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    gallery = int(result.record["task"]["gallery"])
    orders = audit_pool_ranking(result, gallery)
    is_whole = (result.path / "scores.npy").is_file()
    names = [name for name in result.ranks.column("query_id").to_pylist() if any(grades.get(name, {}).values())]
    plain = dict(zip(*(result.ranks.column(name).to_pylist() for name in ("query_id", "rank")), strict=True))
    found = [min(plain[name], best_rank(orders[name], grades[name])) for name in names]
    told: dict[str, Any] = {"queries": len(names), "is_whole": is_whole}
    told["plain"] = _recalls([plain[name] for name in names])
    told["with_found"] = _recalls(found)
    if is_whole:
        told["condensed"] = _recalls(
            [best_rank(condensed_ranking(orders[name], grades[name]), grades[name]) for name in names]
        )
        told["bpref"] = float(np.mean([bpref(orders[name], grades[name]) for name in names])) if names else 0.0
    return told


def _recalls(ranks: Sequence[int]) -> dict[str, float]:
    return {f"R@{k}": recall(np.array(ranks), k) if ranks else 0.0 for k in KS}

"""What the saved ranks tell beside the metrics of a task: other metrics, the reference, copies, and distractors.

All of it is worked out from ranks.parquet; what older results have no columns for is None.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_bench.scoring.intervals import rank_clusters, recall_confidence_interval
from cvr_bench.scoring.metrics import discounted_gain, recall, recall_in_gallery

GAIN_K = 10
"""Of nDCG."""
GALLERY = 100
"""Items of the gallery that recalls are adjusted to, so that benchmarks of other sizes can be set beside each other."""


def scores_beside_ranks(table: pa.Table, task: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """Return what rows of ranks.parquet tell; `task` is that of result.json, `reference` the rule of its protocol."""
    ranks, allowed = (table.column(name).to_numpy() for name in ("rank", "allowed"))
    clusters = rank_clusters(table)
    graded = _ndcg_values(table)
    return {
        "metrics": {
            f"nDCG@{GAIN_K}": vars(recall_confidence_interval(graded, clusters)),
            "MRR": vars(recall_confidence_interval(100.0 / ranks, clusters)),
        },
        f"in_gallery_of_{GALLERY}": {
            f"R@{k}": recall_in_gallery(ranks, allowed, GALLERY, k) for k in task["ks"] if k <= GALLERY // 10
        },
        "reference": _reference_ranks(table, task["ks"], is_kept=reference == "keep"),
        "twins": _recall_with_twins(table),
        "distractors": _recall_among_distractors(table, task),
        "way_back": way_back_recall(table, task["ks"]),
    }


def _ndcg_values(table: pa.Table) -> np.ndarray:
    """Return nDCG of each query; a target without a grade has grade 1."""
    found = table.column("target_ranks").to_pylist()
    grades = [of_query or [1] * len(ranks) for of_query, ranks in
              zip(table.column("target_grades").to_pylist(), found, strict=True)]  # fmt: skip
    return np.array([discounted_gain(ranks, of, GAIN_K) for ranks, of in zip(found, grades, strict=True)])


def _reference_ranks(table: pa.Table, ks: list[int], *, is_kept: bool) -> dict[str, Any] | None:
    """How targets and references stand to each other, where references are among what is ranked against.

    A reference that scores as the target does ranks before it, as everything does.
    """
    is_ranked = table.column("reference_rank").is_valid().to_numpy()
    if not is_ranked.any():
        return None
    beats = table.column("beats_reference").to_pylist()
    is_behind = np.array([found is False for found in beats])
    ranks = table.column("rank").to_numpy()
    kept, left_out = (ranks, ranks - is_behind) if is_kept else (ranks + is_behind, ranks)
    rows = table.filter(pa.array(is_ranked))
    wins = 100.0 * np.array([found is True for found in rows.column("beats_reference").to_pylist()])
    return {
        "queries": rows.num_rows,
        "target_beats": vars(recall_confidence_interval(wins, rank_clusters(rows))),
        "MdR": float(np.median(rows.column("reference_rank").to_numpy())),
        "kept": {f"R@{k}": recall(kept, k) for k in ks},
        "left_out": {f"R@{k}": recall(left_out, k) for k in ks},
    }


def _recall_with_twins(table: pa.Table) -> dict[str, Any] | None:
    """R@1 as it is, and where a copy of a target answers too."""
    if table.column("twin_rank").null_count:
        return None
    named = table.column("twins").to_pylist()
    return {
        "queries": sum(map(bool, named)),
        "items": len({name for found in named for name in found}),
        "R@1": {
            "strict": recall(table.column("rank").to_numpy(), 1),
            "counting": recall(table.column("twin_rank").to_numpy(), 1),
        },
    }


def _recall_among_distractors(table: pa.Table, task: Mapping[str, Any]) -> dict[str, dict[str, float]] | None:
    """Recalls among the distractors of each kind alone, and how many queries have some."""
    kinds = task.get("distractor_kinds", [])
    if not kinds or table.column("distractor_ranks").null_count:
        return None
    ranks_QK = np.array(table.column("distractor_ranks").to_pylist())
    ranks_of = {kind: ranks_Q[ranks_Q > 0] for kind, ranks_Q in zip(kinds, ranks_QK.T, strict=True)}
    return {
        kind: {"queries": len(ranks), **{f"R@{k}": recall(ranks, k) for k in task["ks"]}}
        for kind, ranks in ranks_of.items()
        if len(ranks)
    }


def way_back_recall(table: pa.Table, ks: Sequence[int]) -> dict[str, Any] | None:
    """Return how often both, one and none of a query and its way back are found; None where no query has one.

        symmetry_record(ranks, (1, 5, 10))  # {"pairs": 310, "R@1": {"both": 20.1, "one": 35.2, "neither": 44.7}, ...}

    A query (A, a text, targets with B) and one (B, a text, targets with A) are a pair. A model that understands changes
    finds both or neither; one that finds a video from everywhere finds one. The gap is the share of pairs of which one
    is found, beyond what two independent queries with its recalls would give.
    """
    pairs = way_back_ranked_queries(table)
    if not len(pairs):
        return None
    found: dict[str, Any] = {"pairs": len(pairs)}
    ranks_P2 = table.column("rank").to_numpy()[pairs]
    for k in ks:
        hits_P2 = ranks_P2 <= k
        both, neither = hits_P2.all(axis=1).mean(), (~hits_P2).all(axis=1).mean()
        share = hits_P2.mean()
        one = 1 - both - neither
        found[f"R@{k}"] = {"both": 100 * float(both), "one": 100 * float(one), "neither": 100 * float(neither),
                           "gap": 100 * float(one - 2 * share * (1 - share))}  # fmt: skip
    return found


def way_back_ranked_queries(table: pa.Table) -> np.ndarray:
    """Return (P, 2) rows of queries that are each other's way back; both of one style and source of texts.

    A query is in one pair at most; pairs come in the order of their first query.
    """
    names = ("reference_id", "target_ids")
    references, targets = (table.column(name).to_pylist() for name in names)
    slices = [
        table.column(name).to_pylist() if name in table.column_names else [None] * table.num_rows
        for name in ("style", "backend")
    ]
    kinds = list(zip(*slices, strict=True))
    of_reference: dict[str | None, list[int]] = defaultdict(list)
    for row, reference in enumerate(references):
        of_reference[reference].append(row)
    is_taken = np.zeros(table.num_rows, bool)
    pairs = []
    for row, reference in enumerate(references):
        backs = [
            other
            for target in targets[row]
            for other in of_reference.get(target, ())
            if other > row and reference in targets[other] and not is_taken[other] and kinds[other] == kinds[row]
        ]
        if reference is not None and backs and not is_taken[row]:
            pairs.append((row, min(backs)))
            is_taken[[row, min(backs)]] = True
    return np.array(pairs, np.int64).reshape(-1, 2)

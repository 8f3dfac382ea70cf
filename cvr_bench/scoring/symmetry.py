"""Does a model that finds B from A also find A from B? Queries and their ways back, from the saved ranks.

    symmetry_record(ranks, (1, 5, 10))     # {"pairs": 310, "R@1": {"both": 20.1, "one": 35.2, "neither": 44.7}, ...}

A query (A, a text, targets with B) and one (B, a text, targets with A) are a pair. A model that understands changes
finds both or neither; one that finds a video from everywhere finds one. The gap is the share of pairs of which one is
found, beyond what two independent queries with its recalls would give.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa


def symmetry_record(table: pa.Table, ks: Sequence[int]) -> dict[str, Any] | None:
    """Return how often both, one and none of a query and its way back are found; None where no query has one."""
    pairs = way_back_pairs(table)
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


def way_back_pairs(table: pa.Table) -> np.ndarray:
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

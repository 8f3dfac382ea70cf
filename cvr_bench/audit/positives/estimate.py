"""How many right answers nobody has found yet, from cells that were drawn at random depth and judged.

    draw_audit_cells({"q1": 900, "q2": 899}, 100, seed=0)            # (query, place) of 100 cells
    estimate = audit_unfound_positives([Stratum(cells=90_000, judged=100, right=1), ...])
    estimate.value, estimate.low, estimate.high

Cells of a query and a gallery item that nobody judged are dealt to strata by how deep they stand in the pooled
rankings. Of each stratum some are drawn and judged; the share that is right stands for all of them. The interval is
that of the sum of shares, each with the posterior of Jeffreys' prior; where nothing drawn is right, it begins at 0.

Source of the interval of a share: Brown, Cai and DasGupta, Statistical Science 2001.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cvr_bench.audit.positives.cells import FOUND, Cell, Cells, audit_cell_grade
from cvr_bench.audit.positives.pool import Pool
from cvr_bench.tasks.task import Task

DRAWS = 20_000
"""Of the posterior."""
LEVEL = 0.95
NEAR = 5
"""Cells no deeper than so many times the pool's depth are a stratum of their own."""


@dataclass(frozen=True)
class Stratum:
    """Cells that nobody judged, and what a sample of them says."""

    cells: int
    judged: int
    right: int


@dataclass(frozen=True)
class Estimate:
    """Right answers that are not found."""

    value: float
    low: float
    high: float


def draw_audit_cells(counts: Mapping[str, int], number: int, seed: int) -> list[tuple[str, int]]:
    """Return (query, place from 0) of so many cells, each equally likely, in a fixed order.

    Args:
        counts: query -> how many cells it has.
        number: how many to draw; all where there are no more.
        seed: of the draw.
    """
    queries = sorted(name for name, count in counts.items() if count)
    ends = np.cumsum([counts[name] for name in queries])
    if not len(ends):
        return []
    total = int(ends[-1])
    places = np.sort(np.random.default_rng(seed).choice(total, min(number, total), replace=False))
    rows = np.searchsorted(ends, places, side="right")
    starts = np.concatenate([[0], ends[:-1]])
    return [(queries[row], int(place - starts[row])) for row, place in zip(rows.tolist(), places.tolist(), strict=True)]


def audit_unfound_positives(strata: Sequence[Stratum], *, seed: int = 0) -> Estimate | None:
    """Return how many right answers the cells of all strata hold; None where nothing of a stratum was judged."""
    strata = [stratum for stratum in strata if stratum.cells]
    if any(not stratum.judged for stratum in strata):
        return None
    generator = np.random.default_rng(seed)
    value, drawn, least = 0.0, np.zeros(DRAWS), 0.0
    for stratum in strata:
        value += stratum.cells * stratum.right / stratum.judged
        least += stratum.right
        if stratum.judged < stratum.cells:  # what is judged whole has no error
            share = generator.beta(stratum.right + 0.5, stratum.judged - stratum.right + 0.5, DRAWS)
            drawn += stratum.right + (stratum.cells - stratum.judged) * share
        else:
            drawn += stratum.right
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    is_none_right = not any(stratum.right for stratum in strata)
    return Estimate(float(value), 0.0 if is_none_right else float(max(low, least)), float(high))


def draw_audit_strata(task: Task, cells: Cells, near: Pool, *, number: int, seed: int) -> dict[str, int]:
    """Mark cells that are drawn for the estimate; return how many cells each stratum has.

    Cells that captions called wrong or nobody judged are drawn from as well: captions may be mistaken.
    """
    gallery = sorted(item.item_id for item in task.gallery)
    open_items = {
        query.query_id: [
            name for name in gallery
            if task.is_allowed(query, name) and not (audit_cell_grade(cells, query.query_id, name) or 0)
        ]
        for query in task.queries
    }  # fmt: skip
    sizes = {}
    for place, stratum in enumerate(("near", "far")):
        within = {
            query_id: [name for name in items if (name in near.best.get(query_id, {})) == (stratum == "near")]
            for query_id, items in open_items.items()
        }
        sizes[stratum] = sum(map(len, within.values()))
        counts = {query_id: len(items) for query_id, items in within.items()}
        for query_id, at in draw_audit_cells(counts, number, seed + place):
            cells[query_id].setdefault(within[query_id][at], Cell()).stratum = stratum
    return sizes


def audit_estimate_of_unfound(cells: Cells, sizes: Mapping[str, int], seed: int) -> Estimate | None:
    """Return how many right answers are not found; None where no sample was drawn or a stratum's waits.

    Drawn cells that turn out right are found then, and are no part of it.
    """
    if not sizes:
        return None
    strata = []
    for stratum, size in sizes.items():
        drawn = [cell for own in cells.values() for cell in own.values() if cell.stratum == stratum]
        judged = [cell for cell in drawn if cell.judged_by in ("judge", "review")]
        strata.append(Stratum(size, len(judged), sum(cell.grade == FOUND for cell in judged)))
    found = sum(stratum.right for stratum in strata)
    whole = audit_unfound_positives(strata, seed=seed)
    return whole and Estimate(*(max(0.0, number - found) for number in (whole.value, whole.low, whole.high)))

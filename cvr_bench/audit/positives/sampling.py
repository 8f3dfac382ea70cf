"""Cells drawn at random depth, and what their verdicts say of the answers that are not found."""

from collections.abc import Mapping

from cvr_bench.audit.positives.cells import FOUND, Cell, Cells, grade_of
from cvr_bench.audit.positives.estimate import Estimate, Stratum, draw_cells, estimate_unfound
from cvr_bench.audit.positives.pool import Pool
from cvr_bench.tasks.task import Task

NEAR = 5
"""Cells no deeper than so many times the pool's depth are a stratum of their own."""


def drawn_strata(task: Task, cells: Cells, near: Pool, *, number: int, seed: int) -> dict[str, int]:
    """Mark cells that are drawn for the estimate; return how many cells each stratum has.

    Cells that captions called wrong or nobody judged are drawn from as well: captions may be mistaken.
    """
    gallery = sorted(item.item_id for item in task.gallery)
    open_items = {
        query.query_id: [
            name for name in gallery
            if task.is_allowed(query, name) and not (grade_of(cells, query.query_id, name) or 0)
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
        for query_id, at in draw_cells(counts, number, seed + place):
            cells[query_id].setdefault(within[query_id][at], Cell()).stratum = stratum
    return sizes


def estimate_of(cells: Cells, sizes: Mapping[str, int], seed: int) -> Estimate | None:
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
    whole = estimate_unfound(strata, seed=seed)
    return whole and Estimate(*(max(0.0, number - found) for number in (whole.value, whole.low, whole.high)))

"""Metrics that survive answers which nobody judged, from a full order and what is known of its items.

Condensed lists leave unjudged items out of the order before it is measured; bpref counts, for each right answer, the
wrong ones above it. Both are shown beside plain recalls and never stand for them.

Source: bpref, Buckley and Voorhees, SIGIR 2004, with min(R, N) as trec_eval has it; condensed lists, Sakai, SIGIR 2007.
"""

from collections.abc import Mapping, Sequence


def condensed_ranking(order: Sequence[str], grades: Mapping[str, int]) -> list[str]:
    """Return the judged items of an order; grades above 0 are right."""
    return [item for item in order if item in grades]


def best_rank(order: Sequence[str], grades: Mapping[str, int]) -> int:
    """Return the rank of the first right item, 1-based; one more than there are items where none is."""
    places = (place for place, item in enumerate(order, start=1) if grades.get(item, 0) > 0)
    return next(places, len(order) + 1)


def bpref(order: Sequence[str], grades: Mapping[str, int]) -> float:
    """Return bpref in percent of one query: the mean over right answers of the share of wrong ones below them.

    Right answers that the order lacks count as 0; at most as many wrong ones above count as there are right ones.

    Raises:
        ValueError: there is no right answer.
    """
    right = sum(grade > 0 for grade in grades.values())
    wrong = len(grades) - right
    if not right:
        raise ValueError("bpref needs a right answer, got none.")
    above, found = 0, 0.0
    for item in order:
        if item not in grades:
            continue
        if grades[item] > 0:
            found += 1 - min(above, right) / min(right, wrong) if above else 1.0
        else:
            above += 1
    return 100 * found / right

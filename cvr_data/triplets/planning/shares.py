"""Shares of drawn rows with an interval, and cuts of scores that reach a wanted purity.

    triplet_pilot_share(hits_N, groups_N, population=22_481)       # Share(value=0.83, low=0.77, high=0.88, rows=200)
    choose_triplet_score_cut(scores, is_right_N, groups_N, wanted=0.95, alpha=0.05)

The interval is that of Korn and Graubard for groups drawn whole, without replacement: that of Clopper and Pearson for
as many independent rows as would be as sure. A cut is chosen on one half of the groups and measured on the other, so
that the choice does not flatter it.

Source: Korn and Graubard, Confidence Intervals For Proportions With Small Expected Number of Positive Counts Estimated
From Survey Data, Survey Methodology 1998.
"""

# Shapes: N rows.

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

CUTS = tuple(share / 10 for share in range(1, 9))
"""Shares of the rows that the cuts tried leave out."""
CHOOSING = 0.2
"""Of a cut that is chosen the half it is chosen on bounds the purity with this error, from below."""


@dataclass(frozen=True)
class Share:
    """A share of rows between 0 and 1, and the ends of its interval."""

    value: float
    low: float
    high: float
    rows: int
    """That it is of."""


@dataclass(frozen=True)
class Cut:
    """Rows stay whose score is at least, or at most, a bound."""

    score: str
    side: str
    """least or most."""
    bound: float

    def keeps(self, scores: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return which rows stay; a row without the score does not."""
        values_N = scores[self.score]
        return values_N >= self.bound if self.side == "least" else values_N <= self.bound


@dataclass(frozen=True)
class ChosenCut:
    """A cut, what the rows it keeps are worth, and how many it keeps."""

    cut: Cut
    purity: Share
    """Of the half that it was not chosen on."""
    kept: Share
    """Of all rows that have the score."""


def triplet_pilot_share(
    hits_N: np.ndarray, groups_N: np.ndarray, *, population: int | None = None, alpha: float = 0.05
) -> Share:
    """Return the share of hits among rows whose groups were drawn at random.

    Args:
        hits_N: whether each row is a hit.
        groups_N: number of the group of each row; rows of a group come or stay away together.
        population: rows that there are, drawn or not; None: without end.
        alpha: how often the interval may miss.
    """
    from scipy.stats import beta

    rows = len(hits_N)
    if not rows:
        return Share(0.0, 0.0, 1.0, 0)
    value = float(np.mean(hits_N))
    left = 1.0 if population is None else max(0.0, 1 - rows / population)
    if not left:
        return Share(value, value, value, rows)
    worth = max(1.0, rows * _worth(hits_N, groups_N, value)) / left
    hits = value * worth
    low = float(beta.ppf(alpha / 2, hits, worth - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - alpha / 2, hits + 1, worth - hits)) if hits < worth else 1.0
    return Share(value, low, high, rows)


def _worth(hits_N: np.ndarray, groups_N: np.ndarray, value: float) -> float:
    """How many independent rows a row is worth, at most one: by the variance of a ratio over groups."""
    _, places = np.unique(groups_N, return_inverse=True)
    over = np.bincount(places, np.asarray(hits_N, float) - value)
    rows, groups = len(hits_N), len(over)
    alone = value * (1 - value) * rows**2 / max(rows - 1, 1)
    if not alone or groups < 2:
        return groups / rows
    return min(1.0, alone / (float(np.sum(over**2)) * groups / (groups - 1)))


def choose_triplet_score_cut(
    scores: Mapping[str, np.ndarray], sides: Mapping[str, str], is_right_N: np.ndarray, groups_N: np.ndarray, *,
    wanted: float, alpha: float,
) -> ChosenCut | None:  # fmt: skip
    """Return the cut that keeps most rows among those that seem to reach the wanted purity, else the purest one.

    Args:
        scores: name -> score of each row, NaN where it has none.
        sides: name -> whether high scores (`least`) or low ones (`most`) are good.
        is_right_N: what each row was judged.
        groups_N: as in `triplet_pilot_share`; whether a number is even says which half a row belongs to.
        wanted: purity, between 0 and 1.
        alpha: of the interval of the purity.
    """
    is_here_N = groups_N % 2 == 0
    tried = []
    for cut in triplet_score_cuts(scores, sides):
        keeps_N = cut.keeps(scores)
        bound = triplet_pilot_share(is_right_N[keeps_N & is_here_N], groups_N[keeps_N & is_here_N], alpha=2 * CHOOSING)
        tried.append((bound.low >= wanted, keeps_N.sum() if bound.low >= wanted else bound.low, cut))
    if not tried:
        return None
    *_, cut = max(tried, key=lambda each: each[:2])
    keeps_N = cut.keeps(scores)
    is_there_N = keeps_N & ~is_here_N
    has_N = ~np.isnan(scores[cut.score])
    purity = triplet_pilot_share(is_right_N[is_there_N], groups_N[is_there_N], alpha=alpha)
    return ChosenCut(cut, purity, triplet_pilot_share(keeps_N[has_N], groups_N[has_N]))


def triplet_score_cuts(scores: Mapping[str, np.ndarray], sides: Mapping[str, str]) -> Iterator[Cut]:
    """Yield the cuts that are tried: of each score those that leave out one, two, ... tenths of the rows."""
    for name, values_N in scores.items():
        known = values_N[~np.isnan(values_N)]
        if len(known) and known.min() < known.max():
            places = [1 - share if sides[name] == "most" else share for share in CUTS]
            for bound in dict.fromkeys(_rounded(np.quantile(known, places), sides[name])):
                yield Cut(name, sides[name], bound)


def _rounded(bounds: Iterable[float], side: str) -> Iterator[float]:
    """Bounds of three digits, each a little looser than it was, so that what is said can be typed."""
    for bound in bounds:
        yield float((np.floor if side == "least" else np.ceil)(bound * 1000) / 1000)

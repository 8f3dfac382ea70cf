"""How far annotators agree beyond chance.

    cohen_kappa(["a", "b"], ["a", "a"])
    krippendorff_alpha([{"ann": "a", "ben": "a"}, {"ann": "b", "ben": "a"}])

Sources: Cohen 1960 (https://doi.org/10.1177/001316446002000104); Krippendorff, Content Analysis, nominal data with
missing values.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from itertools import permutations


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Return (observed - expected) / (1 - expected) agreement of two raters on the same items, in order.

    None where it is undefined: no item, or both gave one and the same answer throughout.
    """
    if len(first) != len(second):
        raise ValueError(f"both raters must rate the same items, got {len(first)} and {len(second)}.")
    count = len(first)
    if not count:
        return None
    observed = sum(one == other for one, other in zip(first, second, strict=True)) / count
    counts = Counter(first), Counter(second)
    expected = sum(counts[0][value] * counts[1][value] for value in counts[0]) / count**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(units: Sequence[Mapping[str, Hashable]]) -> float | None:
    """Return 1 - observed / expected disagreement of any number of raters, each of whom may have left out units.

    None where it is undefined: no unit was rated twice, or only one answer was ever given.

    Args:
        units: rater -> answer of each item.
    """
    coincidences: Counter[tuple[Hashable, Hashable]] = Counter()
    for unit in units:
        answers = list(unit.values())
        for pair in permutations(range(len(answers)), 2):
            coincidences[answers[pair[0]], answers[pair[1]]] += 1 / (len(answers) - 1)  # type: ignore[assignment]
    totals: Counter[Hashable] = Counter()
    for (value, _), weight in coincidences.items():
        totals[value] += weight
    whole = sum(totals.values())
    expected = whole**2 - sum(count**2 for count in totals.values())
    if whole <= 1 or expected <= 0:
        return None
    observed = sum(weight for (value, other), weight in coincidences.items() if value != other)
    return 1 - (whole - 1) * observed / expected

"""What a review came to: who judged how much, how they agree, how they did on gold checks, why triplets went.

print_lines = review_report_lines(review_report(Path("reviews/quickstart.sqlite")))
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations, permutations
from pathlib import Path
from statistics import median
from typing import Any

from cvr_data.core.reading import reading
from cvr_data.review.store import DECISIONS, KIND, ReviewStore, reviewed_judgments
from cvr_data.triplets.judgments import KEPT, triplet_verdict_of_pairs

JudgmentRow = dict[str, Any]


def review_report(review: Path) -> dict[str, Any]:
    """Return the numbers of a review. Raises CvrError: there is no such review."""
    with reading(review, KIND), ReviewStore(review, must_exist=True) as store:
        rows = reviewed_judgments(store).to_pylist()
        invited, settings = store.annotators(), store.settings()
        items = {item.item_id: item.answer for item in store.items()}
        undone = len(store.judgments(undone=True))
    plain = [row for row in rows if row["answer"] is None]
    names = sorted({*invited, *(row["annotator"] for row in rows)})
    return {
        "review": str(review),
        "split": settings.get("split"),
        "items": sum(answer is None for answer in items.values()),
        "gold_items": sum(answer is not None for answer in items.values()),
        "judged": len({row["item_id"] for row in plain}),
        "judgments": len(rows),
        "undone": undone,
        "annotators": {name: _of_annotator([row for row in rows if row["annotator"] == name]) for name in names},
        "reasons": dict(Counter(row["reason"] for row in plain if row["reason"]).most_common()),
        "also_correct": sum(len(row["also_correct"] or ()) for row in plain),
        "verdicts": _outcomes(plain),
        "agreement": {
            "usable": review_agreement(plain, lambda row: row["decision"] in KEPT),
            "which text": review_agreement(plain, lambda row: row["chosen"] or ""),
        },
    }


def review_agreement(rows: Sequence[JudgmentRow], answer: Any) -> dict[str, Any]:
    """Return alpha of all annotators and kappa of each two, over the items they share; skips are missing answers."""
    units: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["decision"] != "skip":
            units.setdefault(row["item_id"], {})[row["annotator"]] = answer(row)
    shared = [unit for unit in units.values() if len(unit) > 1]
    names = sorted({name for unit in shared for name in unit})
    pairs = {}
    for one, other in combinations(names, 2):
        both = [unit for unit in shared if one in unit and other in unit]
        kappa = cohen_kappa([unit[one] for unit in both], [unit[other] for unit in both])
        same = sum(unit[one] == unit[other] for unit in both)
        pairs[f"{one} and {other}"] = {"items": len(both), "same": same, "cohen_kappa": _rounded(kappa)}
    return {"items": len(shared), "krippendorff_alpha": _rounded(krippendorff_alpha(shared)), "pairs": pairs}


def review_report_lines(report: dict[str, Any]) -> list[str]:
    """Return the report as lines to read in a terminal."""
    decisions = "".join(f"{name:>8}" for name in DECISIONS)
    found = [
        f"{report['review']}: {report['judged']} of {report['items']} items judged, {report['judgments']} judgments, "
        f"{report['undone']} undone",
        f"{'annotator':<16}{'judged':>7}{decisions}{'median s':>10}{'gold right':>12}",
    ]
    for name, numbers in report["annotators"].items():
        counts = "".join(f"{numbers[decision]:>8}" for decision in DECISIONS)
        seconds = "-" if numbers["median_seconds"] is None else f"{numbers['median_seconds']:.1f}"
        gold = f"{numbers['gold_right']} of {numbers['gold']}" if numbers["gold"] else "-"
        found.append(f"{name:<16}{numbers['judged']:>7}{counts}{seconds:>10}{gold:>12}")
    for title, counts in (("reasons", report["reasons"]), ("verdicts", report["verdicts"])):
        found.append(f"{title:<16}" + (", ".join(f"{name} {count}" for name, count in counts.items()) or "none"))
    found.append(f"{'also correct':<16}{report['also_correct']}")
    for title, agreed in report["agreement"].items():
        alpha = _agreement_text(agreed["krippendorff_alpha"])
        found.append(f"agreement on {title}: Krippendorff's alpha {alpha} over {agreed['items']} items judged twice")
        for pair, numbers in agreed["pairs"].items():
            kappa = _agreement_text(numbers["cohen_kappa"])
            found.append(f"  {pair}: Cohen's kappa {kappa}, {numbers['same']} of {numbers['items']} the same")
    return found


def _of_annotator(rows: Sequence[JudgmentRow]) -> dict[str, Any]:
    plain = [row for row in rows if row["answer"] is None]
    gold = [row for row in rows if row["answer"] is not None and row["decision"] != "skip"]
    seconds = [row["seconds"] for row in rows if row["seconds"] is not None]
    return {
        "judged": len(plain),
        **{decision: sum(row["decision"] == decision for row in plain) for decision in DECISIONS},
        "median_seconds": round(median(seconds), 1) if seconds else None,
        "gold": len(gold),
        "gold_right": sum((row["decision"] in KEPT) == (row["answer"] == "accept") for row in gold),
    }


def _outcomes(rows: Sequence[JudgmentRow]) -> dict[str, int]:
    found = (
        verdict.reason or ("keep" if verdict.chosen == verdict.modification else "reword")
        for verdict in triplet_verdict_of_pairs(rows).values()
    )
    return dict(Counter(found).most_common())


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _agreement_text(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Return (observed - expected) / (1 - expected) agreement of two raters on the same items, in order.

    Source: Cohen 1960 (https://doi.org/10.1177/001316446002000104).

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

    Source: Krippendorff, Content Analysis, nominal data with missing values.

    None where it is undefined: no unit (rater -> answer) was rated twice, or only one answer was ever given.
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

"""What a dataset of triplets is made of, in numbers: sizes, texts, changes, similarities, durations, leaks.

    triplet_statistics(triplets, videos)["splits"]["test"]["triplets"]

The same numbers stand in statistics.json beside the triplets, in the dataset card, and in what `cvr stats` prints.
Anything that the tables do not say is None.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.tables import SPLITS
from cvr_data.triplets.counting import (
    SECONDS,
    SHARED,
    SOURCE,
    STEPS,
    TOP,
    summed_triplet_counts,
    triplet_counts,
    triplet_facts,
    triplet_facts_of_videos,
)
from cvr_data.triplets.likeness import (
    LIKENESSES,
    generic_triplet_line,
    generic_triplet_share,
    triplet_likeness_line,
    triplet_text_likeness,
)

QUANTILES = {"min": 0.0, "p05": 0.05, "median": 0.5, "p95": 0.95, "max": 1.0}
ABOUT_TEXTS = (
    "Words", "Pairs per text", "Styles", "Sources of text", "Shared texts", "Generic", "Like", "One input",
)  # fmt: skip
"""Begins of lines that are told of texts alone."""
Counts = Mapping[tuple[str, str], Mapping[str, int]]
"""Scope (a split or all) and name -> value -> how often; of what is not there, nothing."""


def triplet_statistics(triplets: pa.Table, videos: pa.Table | None = None) -> dict[str, Any]:
    """Return the numbers of all triplets and of each split; `videos` adds durations and licences."""
    facts = [triplet_facts(None, triplets), *([] if videos is None else [triplet_facts_of_videos(None, videos)])]
    counts = summed_triplet_counts(None, triplet_counts(None, pa.concat_tables(facts)))
    return triplet_numbers(triplet_counts_by_scope(counts), with_videos=videos is not None)


def triplet_counts_by_scope(counts: pa.Table) -> Counts:
    """Return summed counts by scope and name."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for scope, name, value, count in zip(*(column.to_pylist() for column in counts.columns), strict=True):
        found.setdefault((scope, name), {})[value] = count
    return found


def triplet_numbers(counts: Counts, *, with_videos: bool) -> dict[str, Any]:
    """Return the numbers that `triplet_statistics` gives, from counts."""
    present = [split for split in SPLITS if ("all", "triplets") in counts and (split, "triplets") in counts]
    scopes = {scope: _numbers(counts, scope, with_videos) for scope in ("all", *present)}
    return {"all": scopes.pop("all"), "splits": scopes, "leaks": _leaks(counts)}


def _leaks(counts: Counts) -> dict[str, Any]:
    """Return how many videos, near-duplicate groups and texts two splits share; groups are None where unknown."""
    found: dict[str, Any] = {}
    for name in SHARED:
        present = [split for split in SPLITS if _distinct(counts, split, name)]
        pairs = [f"{a}-{b}" for place, a in enumerate(present) for b in present[place + 1 :]]
        shared = counts.get(("all", f"{name}.shared"), {})
        found[f"{name}s"] = {pair: shared.get(pair, 0) for pair in pairs}
    return {**found, "groups": found["groups"] if _distinct(counts, "all", "group") else None}


def _numbers(counts: Counts, scope: str, with_videos: bool) -> dict[str, Any]:
    def listed(name: str) -> dict[str, int]:
        return dict(sorted(counts.get((scope, name), {}).items()))

    def total(name: str) -> int:
        return listed(name).get("", 0)

    def distinct(name: str) -> int:
        return _distinct(counts, scope, name)

    queries = listed("query.spread")
    return {
        "triplets": total("triplets"),
        "queries": distinct("query"),
        "queries_with_several_targets": sum(number for times, number in queries.items() if times != "1"),
        "videos": distinct("video"),
        "references": distinct("reference"),
        "targets": distinct("target"),
        "groups": distinct("group") or None,
        "texts": distinct("text"),
        "words": distinct("word"),
        "words_per_text": _summary(listed("words_per_text")),
        "triplets_per_target": _summary(listed("target.spread")),
        "triplets_per_text": _summary(listed("text.spread")),
        "styles": listed("style"),
        "sources_of_text": listed("source_of_text"),
        "changes": {
            "kinds": listed("change_kind"), "slots": listed("change_slot"), "distinct": distinct("change"),
            "triplets_without": total("without_change"), "top": _top(listed("change.top")),
        },
        "text_similarity": _summary(listed("text_similarity"), STEPS),
        "visual_similarity": _summary(listed("visual_similarity"), STEPS),
        "with_frame_scores": total("with_frame_scores"),
        **_like_people(listed, total),
        "composition": listed("composition") or None,
        "top_texts": _top(listed("text.top")),
        "duration_s": _summary(listed(SECONDS), STEPS),
        "sources": _part_of(listed(SOURCE), 0) if with_videos else None,
        "licences": _part_of(listed(SOURCE), 1) if with_videos else None,
    }  # fmt: skip


def _like_people(listed: Callable[[str], dict[str, int]], total: Callable[[str], int]) -> dict[str, Any]:
    """Return how like people's the texts are, and how many of them are generic."""
    alike = {name: listed("change_slot" if name == "slots" else name) for name in LIKENESSES}
    return {
        "likeness": triplet_text_likeness(alike),
        "generic": generic_triplet_share(listed("text.spread"), total("vague"), total("triplets")),
    }


def _distinct(counts: Counts, scope: str, name: str) -> int:
    return counts.get((scope, f"{name}.distinct"), {}).get("", 0)


def _top(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the most frequent values; of equally frequent ones the first by name."""
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:TOP]


def triplet_source_and_licence(value: str) -> tuple[str, str | None]:
    """Return the source and the licence of a video, of the value that counts have of both."""
    source, _, licence = value.partition("\n")
    return source, licence or None


def _part_of(counts: Mapping[str, int], place: int) -> dict[str, int]:
    found: Counter[str] = Counter()
    for value, count in counts.items():
        found[triplet_source_and_licence(value)[place] or "unknown"] += count
    return dict(sorted(found.items()))


def _summary(counts: Mapping[str, int], steps: int = 1) -> dict[str, float] | None:
    """Return count, mean and quantiles of values in so many steps, of which each is so often there."""
    if not counts:
        return None
    values, times = (np.array(list(map(int, column)), np.int64) for column in zip(*counts.items(), strict=True))
    order = np.argsort(values)
    values, ends = values[order], np.cumsum(times[order])
    count = int(ends[-1])

    def quantile(share: float) -> float:
        place = share * (count - 1)
        below, above = (values[np.searchsorted(ends, at, side="right")] for at in (int(place), int(np.ceil(place))))
        return round(float(below + (above - below) * (place - int(place))) / steps, 4)

    mean = sum(map(int.__mul__, values.tolist(), times[order].tolist())) / count / steps
    return {"count": count, "mean": round(mean, 4), **{name: quantile(share) for name, share in QUANTILES.items()}}


def triplet_text_report(numbers: dict[str, Any], kind: str = "triplets") -> str:
    """Return the numbers as lines to read in a terminal; of `pairs`, which have no texts, without those of texts."""
    lines = []
    for split, found in {"all": numbers["all"], **numbers["splits"]}.items():
        line = f"{split:<6}{found['triplets']:>9} {kind}  {found['videos']:>8} videos  {found['targets']:>8} targets"
        of_texts = f"  {found['queries']:>9} queries  {found['texts']:>8} texts"
        lines.append(line if kind == "pairs" else line + of_texts)
    overall = numbers["all"]
    lines.append("")
    for title, name in (
        ("Words per text", "words_per_text"),
        (f"{kind.capitalize()} per target", "triplets_per_target"),
        (f"{kind.capitalize()} per text", "triplets_per_text"),
        ("Caption similarity", "text_similarity"),
        ("Visual similarity", "visual_similarity"),
        ("Seconds per video", "duration_s"),
    ):
        lines.append(f"{title:<20}{triplet_summary_text(overall[name])}")
    for title, counts in (
        ("Styles", overall["styles"]),
        ("Sources of text", overall["sources_of_text"]),
        ("Kinds of change", overall["changes"]["kinds"]),
        ("What changes", overall["changes"]["slots"]),
        ("One input or both", overall["composition"]),
        ("Sources of video", overall["sources"]),
        ("Licences", overall["licences"]),
        ("Shared videos", numbers["leaks"]["videos"]),
        ("Shared groups", numbers["leaks"]["groups"]),
        ("Shared texts", numbers["leaks"]["texts"]),
    ):
        lines.append(f"{title:<20}{triplet_counts_text(counts)}")
    lines.append(f"{'Generic texts':<20}{generic_triplet_line(overall['generic'])}")
    lines.append(f"{'Like people wrote':<20}{triplet_likeness_line(overall['likeness'])}")
    return "\n".join(line for line in lines if kind != "pairs" or not line.startswith(ABOUT_TEXTS))


def triplet_summary_text(found: dict[str, float] | None) -> str:
    """Return `mean 5.1, median 5, 5-95 % 3 to 9, range 2 to 14`, or unknown."""
    if found is None:
        return "unknown"
    return (
        f"mean {found['mean']:g}, median {found['median']:g}, 5-95 % {found['p05']:g} to {found['p95']:g}, "
        f"range {found['min']:g} to {found['max']:g}"
    )


def triplet_counts_text(counts: dict[str, int] | None) -> str:
    """Return `rules 10, truth 3`, or unknown."""
    if counts is None:
        return "unknown"
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"

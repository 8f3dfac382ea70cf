"""What a dataset of triplets is made of, in numbers: sizes, texts, changes, similarities, durations, leaks.

    statistics(triplets, videos)["splits"]["test"]["triplets"]

The same numbers stand in statistics.json beside the triplets, in the dataset card, and in what `cvr stats` prints.
Anything that the tables do not say is None.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.language.words import words_of
from cvr_data.tables import SPLITS

TOP = 20
"""How many of the most frequent changes, texts and words are listed."""
QUANTILES = {"min": 0.0, "p05": 0.05, "median": 0.5, "p95": 0.95, "max": 1.0}


def statistics(triplets: pa.Table, videos: pa.Table | None = None) -> dict[str, Any]:
    """Return the numbers of all triplets and of each split; `videos` adds durations and licences."""
    splits = {
        split: _numbers(rows, videos)
        for split in SPLITS
        if (rows := triplets.filter(pc.equal(triplets.column("split"), split))).num_rows
    }
    return {"all": _numbers(triplets, videos), "splits": splits, "leaks": leaks(triplets)}


def leaks(triplets: pa.Table) -> dict[str, Any]:
    """Return how many videos, near-duplicate groups and texts two splits share; groups are None where unknown."""
    groups = _ends(triplets, "group_id")
    has_groups = any(group is not None for group in groups)
    splits = triplets.column("split").to_pylist()
    shared: dict[str, Any] = {"videos": {}, "groups": {} if has_groups else None, "texts": {}}
    values: dict[str, tuple[Sequence[Any], list[str]]] = {
        "videos": (_ends(triplets, "id"), splits * 2),
        "texts": (triplets.column("modification").to_pylist(), splits),
    }
    if has_groups:
        values["groups"] = (groups, splits * 2)
    for name, (found, of_split) in values.items():
        sets: dict[str, set[Any]] = {}
        for value, split in zip(found, of_split, strict=True):
            if value is not None:
                sets.setdefault(split, set()).add(value)
        present = [split for split in SPLITS if split in sets]
        shared[name] = {f"{a}-{b}": len(sets[a] & sets[b]) for a, b in combinations(present, 2)}
    return shared


def _numbers(triplets: pa.Table, videos: pa.Table | None) -> dict[str, Any]:
    texts = triplets.column("modification").to_pylist()
    words = {text: words_of(text) for text in set(texts)}
    video_ids = set(_ends(triplets, "id"))
    queries = Counter(triplets.column("query_id").to_pylist())
    pairs = zip(triplets.column("backend").to_pylist(), triplets.column("model").to_pylist(), strict=True)
    names = (" ".join(dict.fromkeys(name for name in pair if name)) or "unknown" for pair in pairs)
    return {
        "triplets": triplets.num_rows,
        "queries": len(queries),
        "queries_with_several_targets": sum(count > 1 for count in queries.values()),
        "videos": len(video_ids),
        "references": len(set(triplets.column("reference_id").to_pylist())),
        "targets": len(set(triplets.column("target_id").to_pylist())),
        "groups": len({group for group in _ends(triplets, "group_id") if group is not None}) or None,
        "texts": len(words),
        "words": len({word for found in words.values() for word in found}),
        "words_per_text": distribution(len(words[text]) for text in texts),
        "triplets_per_target": distribution(Counter(triplets.column("target_id").to_pylist()).values()),
        "triplets_per_text": distribution(Counter(texts).values()),
        "styles": _counts(triplets, "style"),
        "sources_of_text": dict(sorted(Counter(names).items())),
        "changes": _changes(triplets),
        "text_similarity": _column_summary(triplets, "text_similarity"),
        "visual_similarity": _column_summary(triplets, "visual_similarity"),
        "with_frame_scores": triplets.num_rows - triplets.column("frame_scores").null_count,
        "top_texts": Counter(texts).most_common(TOP),
        **_of_videos(videos, video_ids),
    }


def distribution(values: Iterable[float | None]) -> dict[str, float] | None:
    """Return count, mean and quantiles of the values that are known; None if none is."""
    known = np.array([value for value in values if value is not None], np.float64)
    if not len(known):
        return None
    quantiles = {name: round(float(np.quantile(known, share)), 4) for name, share in QUANTILES.items()}
    return {"count": len(known), "mean": round(float(known.mean()), 4), **quantiles}


def _ends(triplets: pa.Table, name: str) -> list[str | None]:
    return triplets.column(f"reference_{name}").to_pylist() + triplets.column(f"target_{name}").to_pylist()


def _counts(table: pa.Table, column: str) -> dict[str, int]:
    values = ("unknown" if value is None else value for value in table.column(column).to_pylist())
    return dict(sorted(Counter(values).items()))


def _changes(triplets: pa.Table) -> dict[str, Any]:
    lists = triplets.column("changes").to_pylist()
    changes = [change for found in lists for change in found or ()]
    pairs = Counter(f"{change['before'] or ''} -> {change['after'] or ''}" for change in changes)
    return {
        "kinds": dict(sorted(Counter(change["kind"] or "unknown" for change in changes).items())),
        "slots": dict(sorted(Counter(change["slot"] or "unknown" for change in changes).items())),
        "distinct": len(pairs),
        "triplets_without": sum(not found for found in lists),
        "top": pairs.most_common(TOP),
    }


def _column_summary(table: pa.Table, name: str) -> dict[str, float] | None:
    return distribution(table.column(name).to_pylist()) if name in table.column_names else None


def _of_videos(videos: pa.Table | None, used: set[str | None]) -> dict[str, Any]:
    if videos is None:
        return {"duration_s": None, "sources": None, "licences": None}
    of_ids = videos.filter(pc.is_in(videos.column("video_id"), pa.array(sorted(filter(None, used)), pa.string())))
    return {
        "duration_s": _column_summary(of_ids, "duration_s"),
        "sources": _counts(of_ids, "source"),
        "licences": _counts(of_ids, "licence"),
    }


def text_report(numbers: dict[str, Any]) -> str:
    """Return the numbers as lines to read in a terminal."""
    lines = []
    for split, found in {"all": numbers["all"], **numbers["splits"]}.items():
        lines.append(
            f"{split:<6}{found['triplets']:>9} triplets  {found['queries']:>9} queries  {found['videos']:>8} videos  "
            f"{found['targets']:>8} targets  {found['texts']:>8} texts"
        )
    overall = numbers["all"]
    lines.append("")
    for title, name in (
        ("Words per text", "words_per_text"),
        ("Triplets per target", "triplets_per_target"),
        ("Triplets per text", "triplets_per_text"),
        ("Caption similarity", "text_similarity"),
        ("Visual similarity", "visual_similarity"),
        ("Seconds per video", "duration_s"),
    ):
        lines.append(f"{title:<20}{summary_text(overall[name])}")
    for title, counts in (
        ("Styles", overall["styles"]),
        ("Sources of text", overall["sources_of_text"]),
        ("Kinds of change", overall["changes"]["kinds"]),
        ("What changes", overall["changes"]["slots"]),
        ("Sources of video", overall["sources"]),
        ("Licences", overall["licences"]),
        ("Shared videos", numbers["leaks"]["videos"]),
        ("Shared groups", numbers["leaks"]["groups"]),
        ("Shared texts", numbers["leaks"]["texts"]),
    ):
        lines.append(f"{title:<20}{counts_text(counts)}")
    return "\n".join(lines)


def summary_text(found: dict[str, float] | None) -> str:
    """Return `mean 5.1, median 5, 5-95 % 3 to 9, range 2 to 14`, or unknown."""
    if found is None:
        return "unknown"
    return (
        f"mean {found['mean']:g}, median {found['median']:g}, 5-95 % {found['p05']:g} to {found['p95']:g}, "
        f"range {found['min']:g} to {found['max']:g}"
    )


def counts_text(counts: dict[str, int] | None) -> str:
    """Return `rules 10, truth 3`, or unknown."""
    if counts is None:
        return "unknown"
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"

"""What a report shows of scored models: metrics, curves, slices, differences and single queries.

Results are read, not scored again; only those of one task, protocol and gallery stand side by side.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cvr_bench.results.compare import compare_results
from cvr_bench.results.method import compared_result_labels
from cvr_bench.results.result import Result
from cvr_bench.scoring import metrics
from cvr_bench.scoring.intervals import Interval
from cvr_bench.scoring.measures import MEAN, metric_names
from cvr_data.core.natural_order import natural_order
from cvr_data.pages.charts import Curve, Dot

UNIMODAL = ("visual-only", "text-only")
BASELINES = (*UNIMODAL, "random", "constant")
CURVE_KS = (*range(1, 21), 22, 24, 26, 28, 30, 33, 36, 40, 45, 50)
SLICES = {"backend": "Source of the text", "kind": "Kind of change", "slot": "What changes", "style": "Style",
          "changes": "Number of changes"}  # fmt: skip
"""Slices in the order of the page; others follow under their own name."""
LANGUAGE_MODELS = ("transformers", "vllm", "openai")
"""Backends whose texts a language model wrote."""
SMALLEST_SLICE = 20
"""Values with fewer queries say little and are left out."""
COLOURS = 6
"""Styles s1 ... s6 of the style sheet; b1 ... b4 are for baselines."""
ALL = "All queries"
SHOWN = 5
"""Best videos shown for a query."""


@dataclass(frozen=True)
class ScoredModel:
    """A model's result with the name and the colour it has on the page."""

    result: Result
    label: str
    style: str = ""

    @property
    def is_composed(self) -> bool:
        """Whether the model uses both the reference video and the modification text."""
        return self.result.model not in BASELINES

    @property
    def mean(self) -> float:
        """The mean recall, by which models are ordered."""
        return self.result.interval(MEAN).value


@dataclass(frozen=True)
class SlicePanel:
    """The models side by side on the queries of one slice value."""

    title: str
    queries: int
    dots: list[Dot]
    link: str = ""
    """Anchor on the page of some of the queries."""


@dataclass(frozen=True)
class Gain:
    """A composed model minus a unimodal baseline on the same queries."""

    first: str
    second: str
    style: str
    queries: int
    intervals: dict[str, Interval]
    clear: dict[str, bool]
    """Metric -> whether the two differ, by the adjusted p."""

    @property
    def label(self) -> str:
        """Both names."""
        return f"{self.first} − {self.second}"


@dataclass(frozen=True)
class Candidate:
    """A gallery video as a model ranked it."""

    video_id: str
    score: float
    is_target: bool


@dataclass(frozen=True)
class QueryOutcome:
    """One query and what a model put first."""

    found: bool
    rank: int
    allowed: int
    query_id: str
    reference_id: str
    modification: str
    target_id: str
    """The target that the model ranks best."""
    targets: int
    top: list[Candidate]


def report_groups(results: Sequence[Result]) -> list[list[ScoredModel]]:
    """Return the results that may stand in one table together, each group best model first."""
    alike: dict[tuple[str, ...], list[Result]] = defaultdict(list)
    for result in results:
        alike[result.record["task"]["name"], result.task_key].append(result)
    named = (zip(members, compared_result_labels(members), strict=True) for members in alike.values())
    return [_styled([ScoredModel(result, label) for result, label in group]) for group in named]


def report_recall_curves(entries: Sequence[ScoredModel]) -> list[Curve]:
    """Return R@K of each model, and of chance."""
    lines = []
    for entry in entries:
        rank = entry.result.ranks.column("rank").to_numpy()
        lines.append(Curve(entry.label, [(k, metrics.recall(rank, k)) for k in CURVE_KS], entry.style))
    ranks = entries[0].result.ranks
    allowed = ranks.column("allowed").to_numpy()
    targets = np.array([len(ids) for ids in ranks.column("target_ids").to_pylist()])
    chance = [(k, metrics.chance_recall(allowed, targets, k)) for k in CURVE_KS]
    return [*lines, Curve("chance", chance, "chance")]


def reported_slices(entries: Sequence[ScoredModel]) -> list[str]:
    """Return the slices that tell some queries of the task apart, in the order of the page."""
    found = entries[0].result.record["slices"]
    order = [*(name for name in SLICES if name in found), *(name for name in found if name not in SLICES)]
    return [name for name in order if sum(_is_large(value) for value in found[name].values()) > 1]


def report_slice_panels(entries: Sequence[ScoredModel], name: str) -> list[SlicePanel]:
    """Return the mean recall of each model per value of a slice, the most frequent value first, or by number."""
    values = entries[0].result.record["slices"][name]
    slices = [(entry, entry.result.record["slices"]) for entry in entries]
    return [
        SlicePanel(
            _slice_title(name, value),
            values[value]["queries"],
            [
                report_interval_dot(entry.label, Interval(**found[name][value]["metrics"][MEAN]), entry.style)
                for entry, found in slices
            ],
        )
        for value in report_slice_values(entries, name)
    ]


def report_slice_values(entries: Sequence[ScoredModel], name: str) -> list[str]:
    """Return the values of a slice that have a panel, the most frequent first, or numbers in order."""
    values = entries[0].result.record["slices"][name]
    large = [value for value in values if _is_large(values[value])]
    if all(value[:1].isdigit() for value in large):
        return sorted(large, key=natural_order)
    return sorted(large, key=lambda value: -values[value]["queries"])


def report_interval_dot(label: str, interval: Interval, style: str) -> Dot:
    """Return the row of a dot chart that shows an interval."""
    return Dot(label, interval.value, interval.low, interval.high, style)


def _slice_title(name: str, value: str) -> str:
    return f"LLM ({value})" if name == "backend" and value in LANGUAGE_MODELS else value


def reported_differences(entries: Sequence[ScoredModel]) -> dict[str, list[Gain]]:
    """Return what each composed model gains over each unimodal baseline: over all queries, and per source of text."""
    by = "backend" if "backend" in reported_slices(entries) else None
    found: dict[str, list[Gain]] = {}
    for entry in entries:
        for other in entries:
            if not entry.is_composed or other.result.model not in UNIMODAL:
                continue
            comparison = compare_results(entry.result, other.result, by=by)
            parts = {f"Text by {_slice_title('backend', value)}": part for value, part in comparison.slices.items()}
            for title, part in {ALL: comparison.whole, **parts}.items():
                if title == ALL or part.queries >= SMALLEST_SLICE:
                    clear = {name: part.is_clear(name) for name in part.intervals}
                    row = Gain(entry.label, other.label, entry.style, part.queries, dict(part.intervals), clear)
                    found.setdefault(title, []).append(row)
    return found


def reported_outcomes(result: Result, seed: int = 0) -> list[QueryOutcome]:
    """Return one query that the model gets right and one that it gets wrong, each drawn at random of its kind.

    Right is a target at rank 1, else the best rank there is; wrong is no target among the ten best, else the worst.
    """
    rank = result.ranks.column("rank").to_numpy()
    generator = np.random.default_rng(seed)
    right, wrong = rank == rank.min(), rank > 10
    if not wrong.any():
        wrong = rank == rank.max()
    rows = [int(generator.choice(np.flatnonzero(kind))) for kind in (right, wrong)]
    return [_query_outcome(result, row) for row in rows]


def leader_of_report(entries: Sequence[ScoredModel]) -> ScoredModel:
    """Return the best composed model, or the best of all where none is composed."""
    return next((entry for entry in entries if entry.is_composed), entries[0])


def reported_best_labels(entries: Sequence[ScoredModel]) -> dict[str, set[str]]:
    """Return metric -> labels of the models with the best value."""
    best: dict[str, set[str]] = {}
    for metric in metric_names(entries[0].result.ks):
        values = {entry.label: entry.result.interval(metric).value for entry in entries}
        best[metric] = {label for label, value in values.items() if value == max(values.values()) > 0}
    for metric in ("MdR", "MnR"):
        values = {entry.label: entry.result.record[metric] for entry in entries}
        best[metric] = {label for label, value in values.items() if value == min(values.values())}
    return best


def _styled(entries: Sequence[ScoredModel]) -> list[ScoredModel]:
    seen: Counter[bool] = Counter()
    styled = []
    for entry in sorted(entries, key=lambda entry: (-entry.mean, entry.label)):
        number = seen[entry.is_composed]
        seen[entry.is_composed] += 1
        style = f"s{number % COLOURS + 1}" if entry.is_composed else f"b{number % len(BASELINES) + 1}"
        styled.append(replace(entry, style=style))
    return styled


def _is_large(statistics: dict) -> bool:
    return statistics["queries"] >= SMALLEST_SLICE


def _query_outcome(result: Result, row: int) -> QueryOutcome:
    query = result.ranks.slice(row, 1).to_pylist()[0]
    targets = set(query["target_ids"])
    top = list(zip(query["top"], query["top_scores"], strict=True))[:SHOWN]
    return QueryOutcome(
        found=query["rank"] == 1,
        rank=query["rank"],
        allowed=query["allowed"],
        query_id=query["query_id"],
        reference_id=query["reference_id"] or "",
        modification=query["modification"] or "",
        target_id=query["target_ids"][0],
        targets=len(targets),
        top=[Candidate(video_id, score, video_id in targets) for video_id, score in top],
    )

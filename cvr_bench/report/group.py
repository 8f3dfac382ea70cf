"""The part of a report about models that were scored on the same queries: tables, drawings and single queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvr_bench.report.audit import AuditPart, audit_part_of_report
from cvr_bench.report.behind import QueryLists
from cvr_bench.report.behind_audit import AuditLists
from cvr_bench.report.beside import beside_report_rows
from cvr_bench.report.dataset import DatasetPart
from cvr_bench.report.paper import PaperTable, paper_table
from cvr_bench.report.scores import (
    ALL,
    SLICES,
    Gain,
    QueryOutcome,
    ScoredModel,
    SlicePanel,
    leader_of_report,
    report_interval_dot,
    report_recall_curves,
    report_slice_panels,
    report_slice_values,
    reported_best_labels,
    reported_differences,
    reported_outcomes,
    reported_slices,
)
from cvr_bench.results.method import method_result_rows, methods_of_results
from cvr_bench.scoring.intervals import Interval
from cvr_bench.scoring.measures import MEAN, metric_names
from cvr_data.core.files import read_table
from cvr_data.core.reading import reading
from cvr_data.pages.behind import NumberLists
from cvr_data.pages.charts import NARROW, WIDE, Curve, Figure, Size, dot_chart, line_chart
from cvr_data.pages.funnel import words_on_page

PANEL = 300.0
TRAINING = ("training/training.csv", "training.csv")
"""Where a result keeps the log of its training."""
STEP = "epoch"
"""Column of that log on the x axis."""
NOT_DRAWN = {STEP, "lr", "seconds", "triplets_per_s", "MdR", "MnR"}


PROTOCOL: dict[str, tuple[str, dict[str, str]]] = {
    "gallery": (
        "What is ranked",
        {
            "split": "all videos of the split",
            "named": "the videos that triplets name",
            "targets": "the targets of all queries",
            "listed": "the items of the benchmark's list",
            "candidates": "the items listed for each query",
            "per-query": "one entry per query, its target",
            "split+distractors": "all videos of the split, and mined distractors",
            "named+distractors": "the videos that triplets name, and mined distractors",
        },
    ),
    "reference": ("The query's own video", {"exclude": "left out", "keep": "ranked too"}),
    "ties": (
        "Equal scores",
        {"against": "rank before the target", "random": "expected over their orders", "in-favour": "rank after it"},
    ),
    "target_pooling": ("Frames of a video", {"mean": "averaged", "query-annotation": "weighed by the query's labels"}),
    "text_template": ("Text the model reads", {"$modification": "the modification text"}),
    "post_processing": (
        "Scores after the fact",
        {"none": "unchanged", "dual-softmax": "dual softmax over all queries", "qb-norm": "QB-Norm"},
    ),
    "direction": ("What asks and is ranked", {"composed": "a video and a text ask for a video"}),
    "unit": (
        "A text is",
        {"sentence": "one sentence", "paragraph": "all captions of a video", "set": "a set of captions"},
    ),
    "checkpoint_chosen": (
        "Checkpoint chosen",
        {"elsewhere": "on other queries, if it was trained", "on what is scored": "on these very queries"},
    ),
}
"""Field of a protocol -> how the page names it, and what its values mean."""


@dataclass(frozen=True)
class SlicePart:
    """One slice: a drawing per value, and the numbers behind them."""

    title: str
    drawn: list[tuple[SlicePanel, str]]


@dataclass(frozen=True)
class DifferencePart:
    """Paired differences on one set of queries."""

    title: str
    queries: int
    rows: list[Gain]
    figure: Figure


@dataclass(frozen=True, kw_only=True)
class Group:
    """Everything the page says of results that may stand in one table."""

    title: str
    entries: list[ScoredModel]
    metrics: list[str]
    best: dict[str, set[str]]
    headline: list[str]
    methods: list[list[str]]
    """A header and mean and spread of each method, where some have several seeds; else nothing."""
    beside: list[list[str]]
    """A header and a row per entry: other metrics, references, copies."""
    recall: Figure
    slices: list[SlicePart]
    differences: list[DifferencePart]
    audit: AuditPart | None
    learning: list[tuple[ScoredModel, list[str]]]
    outcomes: list[tuple[ScoredModel, list[QueryOutcome]]]
    facts: list[tuple[str, str]]
    paper: PaperTable
    """Its rows beside what is published on the task."""
    metric_links: dict[tuple[str, str], str]
    """(model, metric or `ties`) -> anchor of the queries behind it."""
    gain_links: dict[tuple[str, str], str]
    """(difference over all queries, metric) -> anchor."""

    @property
    def chance(self) -> dict[str, float]:
        """What a random order would reach, per metric."""
        return self.entries[0].result.record["chance"]

    @property
    def video_ids(self) -> list[str]:
        """The videos that its single queries show."""
        shown = [outcome for _, both in self.outcomes for outcome in both]
        ids = [(one.reference_id, one.target_id, *(candidate.video_id for candidate in one.top)) for one in shown]
        return [video_id for of_one in ids for video_id in of_one]


def report_group(
    entries: list[ScoredModel], seed: int, *, number: int = 1, dataset: DatasetPart | None = None,
    lists: NumberLists | None = None,
) -> Group:  # fmt: skip
    """Return the part of the page about these entries, which are best first.

    Args:
        entries: the models.
        seed: of what is drawn.
        number: of the part.
        dataset: what is known of the triplets.
        lists: those of the page, which get the queries behind the numbers.
    """
    found = reported_differences(entries)
    captions, triplets = (dataset.captions, dataset.triplets) if dataset else ({}, None)
    queries = QueryLists(entries, captions, NumberLists() if lists is None else lists, seed)
    metrics = metric_names(entries[0].result.ks)
    return Group(
        title=entries[0].result.record["task"]["name"],
        entries=entries,
        metrics=metrics,
        metric_links=queries.of_metrics(metrics, f"metrics-{number}"),
        gain_links=queries.of_gains(found.get(ALL, []), metrics, f"differences-{number}"),
        best=reported_best_labels(entries),
        headline=_headline(entries, found.get(ALL, [])),
        methods=method_result_rows(methods)
        if (methods := methods_of_results([entry.result for entry in entries]))
        else [],
        beside=beside_report_rows([entry.result for entry in entries]),
        recall=_recall_figure(entries),
        slices=[_slice_part(entries, name, queries, f"slices-{number}") for name in reported_slices(entries)],
        differences=_difference_parts(found),
        audit=audit_part_of_report(entries, AuditLists(queries, f"audit-{number}", triplets)),
        learning=[(entry, drawn) for entry in entries if (drawn := report_learning_curves(entry.result.path))],
        outcomes=[(entry, reported_outcomes(entry.result, seed)) for entry in entries],
        facts=_task_facts(entries),
        paper=paper_table([(entry.label, entry.result) for entry in entries]),
    )


def report_learning_curves(result: Path) -> list[str]:
    """Return a drawing of the losses and one of the recalls of a training log; none where nothing was trained."""
    found = next((result / name for name in TRAINING if (result / name).exists()), None)
    if found is None:
        return []
    with reading(found, "a log of a training"):
        return _logged_metrics(read_table(found).to_pylist())


def _logged_metrics(rows: Sequence[Mapping[str, str]]) -> list[str]:
    names = [name for name in (rows[0] if rows else {}) if name not in NOT_DRAWN]
    recalls = [name for name in names if name.startswith("R@") or name == MEAN]
    losses = [name for name in names if name not in recalls]
    drawn = []
    for title, wanted in (("Loss", losses), ("Recall on validation, %", recalls)):
        lines = []
        for number, name in enumerate(wanted):
            points = [(float(row[STEP]), float(row[name])) for row in rows if row[name] not in ("", None)]
            lines.append(Curve(words_on_page(name), points, f"s{number % 6 + 1}"))
        if lines := [line for line in lines if line.points]:
            drawn.append(line_chart(lines, size=Size(360, 230), title=f"{title} by epoch", x_label=STEP, y_label=title))
    return drawn


def _recall_figure(entries: Sequence[ScoredModel]) -> Figure:
    lines = report_recall_curves(entries)
    title = "R@K of each model for K from 1 to 50: " + ", ".join(
        f"{line.label} {line.points[0][1]:.1f} to {line.points[-1][1]:.1f} %" for line in lines
    )
    both = [
        line_chart(lines, size=size, title=title, x_label="K (logarithmic)", y_label="R@K, %", log_x=True)
        for size in (Size(WIDE, 420), Size(NARROW, 340))
    ]
    return Figure(*both)


def _slice_part(entries: Sequence[ScoredModel], name: str, queries: QueryLists, back: str) -> SlicePart:
    found = report_slice_panels(entries, name)
    found = queries.of_slice(name, found, report_slice_values(entries, name), back)
    highest = max(dot.high for panel in found for dot in panel.dots)
    drawn = []
    for panel in found:
        values = ", ".join(f"{dot.label} {dot.value:.1f}" for dot in panel.dots)
        title = f"Mean recall on {panel.queries} queries of {panel.title}: {values}"
        drawn.append((panel, dot_chart(panel.dots, width=PANEL, title=title, domain=(0.0, max(highest, 1.0)))))
    return SlicePart(SLICES.get(name, words_on_page(name).capitalize()), drawn)


def _difference_parts(found: dict[str, list[Gain]]) -> list[DifferencePart]:
    """One drawing per set of queries, all on the same axis."""
    intervals = [row.intervals[MEAN] for rows in found.values() for row in rows]
    domain = (min([0.0, *(one.low for one in intervals)]), max([0.0, *(one.high for one in intervals)]))
    parts = []
    for title, rows in found.items():
        points = [report_interval_dot(row.label, row.intervals[MEAN], row.style) for row in rows]
        name = f"{title}: " + ", ".join(f"{point.label} {point.value:+.1f}" for point in points)
        both = [
            dot_chart(points, width=width, title=name, domain=domain, axis="points of mean recall", zero=True)
            for width in (WIDE, NARROW)
        ]
        parts.append(DifferencePart(title, rows[0].queries, rows, Figure(*both)))
    return parts


def _headline(entries: Sequence[ScoredModel], found: Sequence[Gain]) -> list[str]:
    best = leader_of_report(entries)
    record = best.result.record
    metric = "R@1" if "R@1" in record["metrics"] else MEAN
    first = best.result.interval(metric)
    what = "puts a target first for" if metric == "R@1" else "has a mean recall of"
    lines = [
        f"{best.label} {what} {first.value:.1f} % of {record['queries']:,} queries "
        f"(95 % interval {first.low:.1f} to {first.high:.1f}); chance is {record['chance'][metric]:.2g} %."
    ]
    return lines + [_gain_verdict(row, row.intervals[MEAN]) for row in found if row.first == best.label]


def _gain_verdict(row: Gain, interval: Interval) -> str:
    bounds = f"({interval.low:+.1f} to {interval.high:+.1f})"
    if not row.clear[MEAN]:
        line = f"No clear difference from {row.second}: {interval.value:+.1f} points of mean recall {bounds}."
    else:
        side = "above" if interval.value > 0 else "below"
        line = f"It is {abs(interval.value):.1f} points of mean recall {side} {row.second} {bounds}."
    return line.replace(" -", " −").replace("(-", "(−")


def _task_facts(entries: Sequence[ScoredModel]) -> list[tuple[str, str]]:
    result = entries[0].result
    task = result.record["task"]
    facts = [
        ("Queries", f"{result.record['queries']:,}"),
        ("Different targets", f"{result.record['clusters']:,}"),
        ("Gallery", f"{task['gallery']:,} videos"),
        *((what.capitalize(), f"{count:,}") for what, count in task["left_out"].items()),
    ]
    for name, value in result.protocol.to_json().items():
        what, meanings = PROTOCOL.get(name, (words_on_page(name).capitalize(), {}))
        facts.append((what, meanings.get(value, str(value))))
    return [*facts, ("Task key", result.task_key[:12]), *_what_models_read(entries)]


def _what_models_read(entries: Sequence[ScoredModel]) -> list[tuple[str, str]]:
    """What models read, where they say it: one line for those that read the same."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        told = "; ".join(f"{words_on_page(name)} {value}" for name, value in entry.result.reads.items() if value != "")
        found.setdefault(told, []).append(entry.label)
    return [
        ("Read" if len(found) == 1 else f"Read by {', '.join(names)}", told) for told, names in found.items() if told
    ]

"""Published results of the field as data, one file per benchmark, so that a report can put them beside ours.

    table = published_results_for("webvid-covr-test")
    [(row.method, row.values.get("R@1"), row.source) for row in table.rows]

Every row says who states it and how far it can be trusted: many tables are only known through later papers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cvr_bench.results.result import Result
from cvr_bench.results.text_table import result_text_table
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.yaml_text import parse_yaml_texts

FOLDER = Path(__file__).parent / "published"
STANDINGS = {
    "paper": "by its authors",
    "secondary": "quoted by others",
    "reproduction": "run by others",
    "inferred": "inferred, stated nowhere",
    "recalled": "from memory, to be checked",
}
"""How a row is known."""
NOT_REPORTED = "recalled"
"""Rows of this standing are listed, but never stand beside results of ours."""
RANKS = ("MdR", "MnR")
"""Metrics in places, not in percent."""


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One method's numbers."""

    method: str
    setting: str
    written: Mapping[str, str]
    """Metric -> percent (MdR, MnR: places) with its decimals; what is not known is absent."""
    source: str
    """Who states it, and where."""
    standing: str
    """A key of STANDINGS."""
    note: str = ""

    @property
    def values(self) -> dict[str, float]:
        """The numbers."""
        return {metric: float(text) for metric, text in self.written.items()}


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """What is known of one task of a benchmark."""

    benchmark: str
    task: str
    """The name that this bench gives the task, and results of it carry."""
    metrics: tuple[str, ...]
    rows: tuple[PublishedRow, ...]
    queries: int | None = None
    gallery: int | None = None
    reference: str | None = None
    """What was done with a query's own reference, as a protocol says it; None where nothing is said."""

    def cautions(self, result: Result) -> list[str]:
        """Return how a result was measured differently, so that the numbers cannot simply be set against each other."""
        found = (
            ("queries", self.queries, result.record["queries"]),
            ("gallery", self.gallery, result.record["task"]["gallery"]),
            ("reference", self.reference, result.protocol.reference),
        )
        return [
            f"{name} {ours} here, {published} as published"
            for name, published, ours in found
            if published is not None and published != ours
        ]


def published_results_names() -> list[str]:
    """Return the benchmarks of which results are known."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def published_results(benchmark: str) -> tuple[PublishedTable, ...]:
    """Return the published results of a benchmark. Raises CvrError: none are known."""
    name = benchmark.replace("_", "-")
    if name not in published_results_names():
        raise CvrError(
            f"No published results of {benchmark!r} are known. {did_you_mean(name, published_results_names())}"
        )
    # numbers as text: 72.50 is not 72.5
    content = parse_yaml_texts((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return tuple(_published_table(name, table, content["sources"]) for table in content["tables"])


def published_results_for(task: str) -> PublishedTable | None:
    """Return what is published on a task of this bench; None if nothing is known."""
    found = (table for name in published_results_names() for table in published_results(name) if table.task == task)
    return next(found, None)


def format_published_results(table: PublishedTable) -> str:
    """Return the table as plain text, each row with its source."""
    rows = [("method", "setting", *table.metrics, "known", "source")]
    rows += [
        (
            row.method,
            row.setting,
            *(published_result_text(row, metric) for metric in table.metrics),
            STANDINGS[row.standing],
            row.source + (f"; {row.note}" if row.note else ""),
        )
        for row in table.rows
    ]
    sizes = (("queries", table.queries), ("in the gallery", table.gallery))
    facts = [f"{value:,} {what}" for what, value in sizes if value]
    facts += [f"references: {table.reference}"] if table.reference else []
    return f"{table.task}, published" + (f" ({', '.join(facts)})" if facts else "") + "\n" + result_text_table(rows)


def published_result_text(row: PublishedRow, metric: str) -> str:
    """Return a number as it was published, with its decimals; a dash where it is not known."""
    return row.written.get(metric, "-")


def published_results_json(table: PublishedTable) -> dict[str, Any]:
    """Return the table as JSON values."""
    rows = [{**vars(row), "written": dict(row.written), "values": row.values} for row in table.rows]
    return {**vars(table), "metrics": list(table.metrics), "rows": rows}


def _published_table(benchmark: str, table: Mapping[str, Any], sources: Mapping[str, str]) -> PublishedTable:
    metrics: Sequence[str] = table["metrics"]
    rows = [
        PublishedRow(
            method=row["method"],
            setting=row["setting"],
            written={name: text for name, text in zip(metrics, row["values"], strict=True) if text != "null"},
            source=sources[row["source"]],
            standing=row["standing"],
            note=row.get("note", ""),
        )
        for row in table["rows"]
    ]
    sizes = {name: int(table[name]) for name in ("queries", "gallery") if name in table}
    return PublishedTable(
        benchmark=benchmark,
        task=table["task"],
        metrics=tuple(metrics),
        rows=tuple(rows),
        reference=table.get("reference"),
        **sizes,
    )

"""One page about a dataset and the models scored on it: self-contained HTML, Markdown, or tables in LaTeX.

    report = build_report([Path("results/fdca-quickstart")])
    Path("report.html").write_text(report_html(report), encoding="utf-8")

The HTML needs nothing beside itself: style, script, drawings and clips are inside, and it may load nothing else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import jinja2
from markupsafe import escape

from cvr_bench.report.dataset import DatasetPart, dataset_part_of_report, reported_triplets
from cvr_bench.report.group import Group, report_group
from cvr_bench.report.paper import beside_latex, paper_latex
from cvr_bench.report.scores import report_groups
from cvr_bench.results.method import result_folders
from cvr_bench.results.result import Result, read_result
from cvr_bench.scoring.intervals import Interval
from cvr_data.core.annotation_files import read_json
from cvr_data.core.command_line import running_command
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import lineage
from cvr_data.core.versions import installed_versions
from cvr_data.pages.behind import Behind, NumberLists
from cvr_data.pages.charts import NARROW, WIDE, Bar, Figure, bar_chart
from cvr_data.pages.clips import ClipShelf
from cvr_data.pages.page import page_environment, page_with_clips, show_clips_on_page


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything on the page."""

    title: str
    made: str
    command: str
    seed: int
    versions: dict[str, str]
    dataset: DatasetPart | None
    groups: list[Group]
    timings: list[Bar]
    timings_figure: Figure | None
    lists: list[Behind]
    """The triplets and queries behind the numbers."""
    commands: list[str]
    """Every command line that led here, in order, each once."""

    @property
    def clips(self) -> ClipShelf:
        """The clips that may be shown."""
        return self.dataset.clips if self.dataset else ClipShelf({})

    @property
    def captions(self) -> dict[str, str]:
        """video_id -> its first caption."""
        return self.dataset.captions if self.dataset else {}


def build_report(
    results: Sequence[Path], *, triplets: Path | None = None, videos: Path | None = None, timings: Path | None = None,
    seed: int = 0,
) -> Report:  # fmt: skip
    """Return what the page says of the results and of the triplets they were scored on.

    Raises:
        CvrError: nothing to report, a folder that is no result, or triplets or videos that have moved or changed.
    """
    found = [read_result(one) for path in dict.fromkeys(results) for one in result_folders(path)]
    data = triplets or reported_triplets(found)
    if not found and data is None:
        raise CvrError("There is nothing to report; name a result folder, or --triplets.")
    lists = NumberLists()
    dataset = dataset_part_of_report(data, videos=videos, seed=seed, lists=lists) if data is not None else None
    steps = _read_timings(timings) if timings else []
    seconds = "Seconds per step: " + ", ".join(f"{step.label} {step.note}" for step in steps)
    made = [artifact.manifest["command"] for artifact in lineage([data])] if data is not None else []
    scored = [result.record["command"] for result in found]
    return Report(
        title=dataset.name if dataset else found[0].record["task"]["name"],
        made=date.today().isoformat(),
        command=running_command(),
        seed=seed,
        versions=installed_versions(),
        dataset=dataset,
        groups=_groups(found, seed, dataset, lists),
        lists=lists.made,
        timings=steps,
        timings_figure=Figure(*(bar_chart(steps, width=width, title=seconds) for width in (WIDE, NARROW)))
        if steps
        else None,
        commands=list(dict.fromkeys([step.label for step in steps] or [*made, *scored])),
    )


def _groups(found: Sequence[Result], seed: int, dataset: DatasetPart | None, lists: NumberLists) -> list[Group]:
    return [
        report_group(entries, seed, number=number, dataset=dataset, lists=lists)
        for number, entries in enumerate(report_groups(found), 1)
    ]


def report_html(report: Report) -> str:
    """Return the page as HTML that loads nothing from outside itself."""
    made = report_environment(autoescape=True)
    show_clips_on_page(made, report.clips, report.captions)
    return page_with_clips(made.get_template("report.html.j2").render(report=report), report.clips)


def report_markdown(report: Report) -> str:
    """Return the tables and texts of the page as Markdown."""
    made = report_environment(autoescape=False)
    made.globals.update(caption_of=lambda video_id: report.captions.get(video_id, ""))
    return made.get_template("report.md.j2").render(report=report)


def report_latex(report: Report) -> str:
    """Return a LaTeX table of each group of results, with the published ones in it, and one of what stands beside them.

    Raises:
        CvrError: the report has no results.
    """
    if not report.groups:
        raise CvrError("LaTeX tables are of results; name a result folder.")
    head = f"% {report.made}, made by: {report.command}\n"
    beside = [beside_latex(group.beside) for group in report.groups]
    return head + "\n".join([paper_latex([group.paper for group in report.groups]), *beside])


def report_environment(*, autoescape: bool) -> jinja2.Environment:
    """Return what renders the templates of this folder."""
    made = page_environment(Path(__file__).parent / "templates", autoescape=autoescape)
    made.filters.update(cell=_markdown_cell, bounds=_interval_bounds)
    return made


def _markdown_cell(text: object) -> str:
    """The text as one cell of a Markdown table."""
    flat = " ".join(str(text).split())
    return re.sub(r"[|`\[\]]", r"\\\g<0>", str(escape(flat))).replace("://", ":\u200b//")


def _interval_bounds(interval: Interval, form: str = ".1f") -> str:
    return f"{interval.low:{form}} to {interval.high:{form}}".replace("-", "−")


def _read_timings(path: Path) -> list[Bar]:
    entries = read_json(path)
    try:
        return [Bar(entry["command"], float(entry["seconds"]), f"{entry['seconds']:.1f} s") for entry in entries]
    except (KeyError, TypeError, ValueError):
        raise CvrError(
            f'{path} should be a JSON list of {{"command": "...", "seconds": ...}}, as cvr run writes it.'
        ) from None

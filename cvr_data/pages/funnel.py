"""The funnel of a dataset as a chart: which rows each step kept, read from the manifests.

The steps are found by following inputs from the triplets back to the videos.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cvr_data.core.artifacts import Artifact
from cvr_data.core.lineage import artifact_funnel, lineage
from cvr_data.pages.charts import NARROW, WIDE, Figure, FunnelBar
from cvr_data.pages.sankey import sankey

UNITS = {
    "import": "videos", "measure": "videos", "filter": "videos", "split": "videos", "mine": "pairs",
    "generate": "texts", "build": "triplets",
}  # fmt: skip
"""First word of a stage's name -> what its rows are; other stages (embed, fit-heads) are no part of the funnel."""


def funnel_bars(triplets: Path, links: Mapping[tuple[str, str, str], str] | None = None) -> list[FunnelBar]:
    """Return one bar per step that keeps or loses rows, from the import to the triplets.

    Args:
        triplets: their folder.
        links: (folder, step, reason) -> anchor of a list of rows that were left out.
    """
    bars: list[FunnelBar] = []
    for artifact in lineage([triplets]):
        kind = artifact.stage.split("-")[0]
        if kind in UNITS:
            bars += _bars_of_stage(artifact, UNITS[kind], links or {}, follows=kind != "generate")
    return bars


def _bars_of_stage(
    artifact: Artifact, unit: str, links: Mapping[tuple[str, str, str], str], *, follows: bool
) -> list[FunnelBar]:
    """The recorded steps; texts of several sources stand side by side, under the names of their folders.

    A step that makes rows of another kind loses none of them: what it left out is told in words only.
    """
    return [
        FunnelBar(
            unit=unit,
            label=words_on_page(step.step if follows else artifact.path.name),
            before=step.rows_out if step.rows_in is None else step.rows_in,
            after=step.rows_out,
            losses=[
                (words_on_page(reason), count)
                for reason, count in sorted(step.dropped.items(), key=lambda entry: (-entry[1], entry[0]))
                if count
            ],
            follows=follows,
            links={
                words_on_page(reason): links.get((str(artifact.path), step.step, reason), "") for reason in step.dropped
            },
        )
        for step in artifact_funnel(artifact.manifest)
    ]


def funnel_figure(found: Sequence[FunnelBar]) -> Figure:
    """Return the chart of the bars, steps that removed nothing drawn as one."""
    title = "Rows kept at each step: " + ", ".join(f"{bar.label} {bar.after:,} of {bar.before:,}" for bar in found)
    drawn = merged_funnel_bars(found)
    return Figure(*(sankey(drawn, width=width, title=title) for width in (WIDE, NARROW)))


def merged_funnel_bars(found: Sequence[FunnelBar]) -> list[FunnelBar]:
    """Return the bars with each run of steps that removed nothing as one; the first step of a unit stands alone."""
    runs: list[list[FunnelBar]] = []
    was_idle, unit = False, ""
    for bar in found:
        is_idle = bar.unit == unit and bar.follows and bar.before == bar.after
        if is_idle and was_idle:
            runs[-1].append(bar)
        else:
            runs.append([bar])
        was_idle, unit = is_idle, bar.unit
    return [
        run[0] if len(run) == 1 else replace(run[0], label=f"{run[0].label} to {run[-1].label}, {len(run)} steps")
        for run in runs
    ]


def words_on_page(name: str) -> str:
    """Return a name of the command line or of a column as words."""
    return name.replace("_", " ").replace("-", " ")

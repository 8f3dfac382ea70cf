"""The page of `cvr filter-videos`: how the values of each filter lie, what it dropped, and the clips at its bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.artifacts import Artifact
from cvr_data.core.command_line import running_command
from cvr_data.core.parts import column_names
from cvr_data.core.whole_files import read_parquet
from cvr_data.media.places import media_clips_of_videos
from cvr_data.pages.charts import NARROW, WIDE, Figure
from cvr_data.pages.clips import ClipShelf
from cvr_data.pages.funnel import words_on_page
from cvr_data.pages.histogram import Bound, chart_bin_counts, histogram
from cvr_data.pages.page import page_environment, page_with_clips, show_clips_on_page
from cvr_data.videos.filter_videos import FilterValues, VideoFilter

SHOWN = 4
"""Clips on each side of a filter's bounds."""


@dataclass(frozen=True)
class EdgeClip:
    """A clip near a bound, and what is said of it."""

    video_id: str
    told: str


@dataclass(frozen=True)
class FilterPanel:
    """One filter on the page."""

    name: str
    told: str
    figure: Figure | None
    lost: list[EdgeClip]
    kept: list[EdgeClip]


def filter_page_html(artifact: Artifact, filters: Sequence[VideoFilter], values: Sequence[FilterValues]) -> str:
    """Return the page as HTML that loads nothing from outside itself."""
    shelf, captions, panels = ClipShelf({}), dict[str, str](), []
    for place, (chosen, found) in enumerate(zip(filters, values, strict=True)):
        lost = _nearest_rows(artifact, found, "dropped", place)
        kept = _nearest_rows(artifact, found, "part", None)
        for row in (*lost, *kept):
            captions[row["video_id"]] = next(iter(row["captions"]), "")
            [video] = media_clips_of_videos(pa.Table.from_pylist([row]), artifact.path)
            if video.path is not None:
                shelf.clips[video.video_id] = video.clip
        panels.append(
            FilterPanel(
                found.name,
                _panel_note(artifact.manifest["funnel"][place], found),
                filter_figure(found),
                [EdgeClip(row["video_id"], chosen.module.explain(chosen.config, row)) for row in lost],
                [EdgeClip(row["video_id"], f"{words_on_page(found.column)} {row[found.column]:.4g}") for row in kept],
            )
        )
    made = page_environment()
    show_clips_on_page(made, shelf, captions)
    about = {"title": artifact.path.resolve().name, "made": date.today().isoformat(), "command": running_command()}
    dropped = sum(artifact.manifest["dropped"].values())
    facts = [("Videos kept", f"{artifact.manifest['rows']:,}"), ("Left out", f"{dropped:,}")]
    return page_with_clips(made.get_template("filters.html.j2").render(panels=panels, facts=facts, **about), shelf)


def filter_figure(found: FilterValues) -> Figure | None:
    """Return the histogram of a filter's values with its bounds; None where nothing is known."""
    if not len(found.kept) + len(found.lost):
        return None
    counts = chart_bin_counts(found.kept.tolist(), found.lost.tolist())
    title = f"{words_on_page(found.column)}: {len(found.kept):,} kept, {len(found.lost):,} left out"
    bounds = [Bound(value, words) for value, words in found.bounds]
    label = words_on_page(found.column)
    return Figure(
        *(histogram(counts, width=width, title=title, x_label=label, bounds=bounds) for width in (WIDE, NARROW))
    )


def _panel_note(step: Mapping[str, Any], found: FilterValues) -> str:
    reasons = ", ".join(f"{count:,} {words_on_page(reason)}" for reason, count in step["dropped"].items())
    unknown = f"; {found.unknown:,} of which nothing is known stay" if found.unknown else ""
    return f"left out: {reasons or 'none'}{unknown}"


def _nearest_rows(artifact: Artifact, found: FilterValues, begin: str, step: int | None) -> list[dict[str, Any]]:
    """The rows whose values lie nearest to a bound, of those that the filter's step dropped, or of the kept ones."""
    nearest: list[tuple[float, str, Path, int]] = []
    for path in sorted(artifact.path.glob(f"{begin}-*.parquet")):
        if found.column not in column_names(path):
            continue
        table = read_parquet(path, [found.column, "video_id", *(["drop_step"] if step is not None else [])])
        values = table.column(found.column).cast(pa.float64()).to_numpy()
        ends = np.array([value for value, _ in found.bounds])
        far = np.abs(values[:, None] - ends).min(axis=1, initial=np.inf)
        if step is not None:
            far[table.column("drop_step").to_numpy() != step] = np.nan
        near = [place for place in np.argsort(far, kind="stable")[:SHOWN].tolist() if not np.isnan(far[place])]
        ids = table.column("video_id").take(pa.array(near, pa.int64())).to_pylist()
        nearest += [(far[place], name, path, place) for place, name in zip(near, ids, strict=True)]
    chosen = sorted(nearest, key=lambda entry: entry[:2])[:SHOWN]
    rows: dict[tuple[Path, int], dict[str, Any]] = {}
    for part in dict.fromkeys(path for _, _, path, _ in chosen):
        table, places = read_parquet(part), [place for _, _, path, place in chosen if path == part]
        rows |= zip([(part, place) for place in places], table.take(pa.array(places)).to_pylist(), strict=True)
    return [rows[path, place] for _, _, path, place in chosen]

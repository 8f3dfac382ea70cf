"""Draws a histogram: what stayed below what was left out, with the bounds of the filter that decided."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cvr_data.pages.charts import (
    LETTER,
    Scale,
    Size,
    chart_number,
    chart_ticks,
    svg_drawing,
    svg_line,
    svg_link,
    svg_rectangle,
    svg_text,
)

BINS = 24
HEIGHT = 190.0


@dataclass(frozen=True)
class Bound:
    """A value beyond which rows were dropped."""

    value: float
    label: str


@dataclass(frozen=True)
class Counts:
    """How many values lie between two neighbouring edges."""

    edges: list[float]
    kept: list[int]
    lost: list[int]


def chart_bin_counts(kept: Sequence[float], lost: Sequence[float] = (), *, whole: bool = False) -> Counts:
    """Return the counts in bins of equal width, one bin for each whole number where `whole` and they are few."""
    values = np.array([*kept, *lost], np.float64)
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if whole:
        step = max(1, -(-int(high - low + 1) // BINS))
        edges = np.arange(low - 0.5, high + 0.5 + step, step)
    else:
        edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    found = [np.histogram(np.array(part, np.float64), bins=edges)[0].tolist() for part in (kept, lost)]
    return Counts(edges.tolist(), found[0], found[1])


def histogram(
    counts: Counts, *, width: float, title: str, x_label: str, bounds: Sequence[Bound] = (), links: Sequence[str] = ()
) -> str:
    """Return the drawing: kept below, left out above it in the paler colour, bounds as upright lines.

    `links` are the anchors of what is behind the kept part of each bin.
    """
    ends = [counts.edges[0], counts.edges[-1], *(bound.value for bound in bounds)]
    highest = max((one + other for one, other in zip(counts.kept, counts.lost, strict=True)), default=0) or 1
    left = max(34.0, len(chart_number(highest)) * LETTER + 10)
    top, bottom = 34.0 if bounds else 12.0, HEIGHT - 38
    x, y = Scale((min(ends), max(ends)), (left, width - 6)), Scale((0, highest), (bottom, top))
    body = []
    for tick in chart_ticks(0, highest, 3):
        body.append(svg_line((left, y(tick)), (width - 6, y(tick)), "grid"))
        body.append(svg_text(left - 6, y(tick) + 4, chart_number(tick), "axis", "end"))
    bins = zip(counts.edges, counts.edges[1:], counts.kept, counts.lost, strict=False)
    for place, (start, stop, kept, lost) in enumerate(bins):
        link = links[place] if links else ""
        body += _svg_histogram_bar((x(start), x(stop)), (start, stop), kept, lost, y, link)
    for tick in chart_ticks(min(ends), max(ends), max(2, int((width - left) / 60))):
        body.append(svg_text(x(tick), bottom + 16, chart_number(tick), "axis", "middle"))
    for place, bound in enumerate(bounds):
        body.append(svg_line((x(bound.value), top - 6), (x(bound.value), bottom), "bound"))
        # Near the right edge the label stands before its line.
        anchor, gap = ("end", -4) if x(bound.value) > width - len(bound.label) * LETTER else ("start", 4)
        body.append(svg_text(x(bound.value) + gap, 11 + 13 * (place % 2), bound.label, "axis", anchor))
    body.append(svg_text((left + width) / 2, HEIGHT - 5, x_label, "axis", "middle"))
    return svg_drawing(body, Size(width, HEIGHT), title)


def _svg_histogram_bar(
    place: tuple[float, float], values: tuple[float, float], kept: int, lost: int, y: Scale, link: str
) -> list[str]:
    span = f"{chart_number(round(values[0], 3))} to {chart_number(round(values[1], 3))}"
    width = max(place[1] - place[0] - 1, 0.8)
    parts = []
    if kept:
        hint = f"{span}: {kept:,} kept"
        bar = svg_rectangle(place[0] + 0.5, y(kept), width, y(0) - y(kept), "kept", hint)
        parts += svg_link([bar], link, hint, (place[0], y.range[1], place[1] - place[0], y.range[0] - y.range[1]))
    if lost:
        hint = f"{span}: {lost:,} left out"
        parts.append(svg_rectangle(place[0] + 0.5, y(kept + lost), width, y(kept) - y(kept + lost), "lost", hint))
    return parts

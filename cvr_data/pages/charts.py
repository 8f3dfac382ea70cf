"""Draws the report's charts: pure functions from numbers to SVG text.

    line_chart([Curve("fdca", [(1, 20.0), (10, 60.0)], "s1")], size=Size(720, 320), x_label="K")

Colours and fonts come from the page's style sheet through class names (`s1` ... `s6` for what is compared, `b1` ...
`b4` for baselines), so one drawing serves light and dark pages. Every text is escaped.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

FONT = 13
"""Height of a label, in the units of the drawing: pixels at its natural width."""
LETTER = 0.56 * FONT
"""Width of a letter, on average, of a common sans-serif font."""
WIDE, NARROW = 880.0, 330.0
"""Natural width of a drawing in a wide window and on a phone."""
TICKS_LOG = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class Size:
    """Natural width and height of a drawing."""

    width: float
    height: float


@dataclass(frozen=True)
class Figure:
    """The same chart drawn for wide windows and for phones."""

    wide: str
    narrow: str


@dataclass(frozen=True)
class Curve:
    """One line of a chart, labelled at its end."""

    label: str
    points: Sequence[tuple[float, float]]
    style: str


@dataclass(frozen=True)
class Dot:
    """An estimate with its interval, one row of a dot chart."""

    label: str
    value: float
    low: float
    high: float
    style: str


@dataclass(frozen=True)
class Bar:
    """One row of a bar chart."""

    label: str
    value: float
    note: str
    link: str = ""
    """Anchor on the page of what is behind it."""


@dataclass(frozen=True)
class FunnelBar:
    """One step of a funnel: how many rows came in, how many stayed, and why the others left."""

    unit: str
    """What is counted: videos, pairs, texts or triplets."""
    label: str
    before: int
    after: int
    losses: Sequence[tuple[str, int]]
    follows: bool = True
    """Whether its rows are what the bar above kept; False for steps side by side."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Reason -> anchor on the page of rows that left for it."""


@dataclass(frozen=True)
class Scale:
    """Maps values from `domain` to positions in `range`, linearly or by their logarithm."""

    domain: tuple[float, float]
    range: tuple[float, float]
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the position of the value."""
        low, high, value = (math.log(part) if self.log else part for part in (*self.domain, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.range[0] + share * (self.range[1] - self.range[0])


def chart_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round numbers from `low` to `high`, steps of 1, 2 or 5 times a power of ten, about `count` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.8)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def spaced_chart_labels(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return the positions moved as little as needed to stand `gap` apart within `low` and `high`, order kept."""
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    placed: list[float] = []
    for index in order:
        placed.append(max(positions[index], placed[-1] + gap if placed else low))
    ceiling = high
    for rank in reversed(range(len(placed))):
        placed[rank] = min(placed[rank], ceiling)
        ceiling = placed[rank] - gap
    moved = [0.0] * len(positions)
    for rank, index in enumerate(order):
        moved[index] = placed[rank]
    return moved


def chart_number(value: float) -> str:
    """Return a number as an axis shows it: no needless digits, thousands apart."""
    shown = f"{value:,.0f}" if abs(value - round(value)) < 1e-9 else f"{value:,.4g}"
    return shown.replace("-", "−")


def wrap_chart_items(items: Sequence[str], width: float, between: str = "  ·  ") -> list[str]:
    """Return the items joined into lines no wider than `width`, where an item allows it."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(between) + len(item) <= width / LETTER:
            lines[-1] += between + item
        else:
            lines.append(item)
    return lines


def svg_drawing(body: Sequence[str], size: Size, title: str, style: str = "") -> str:
    """Return an SVG element named by `title` for those who cannot see it."""
    name = escape(title, quote=True)
    role = "group" if any("<a " in part for part in body) else "img"  # an image has no parts to go to
    return (
        f'<svg class="chart {style}" viewBox="0 0 {size.width:g} {size.height:g}" width="{size.width:g}" '
        f'height="{size.height:g}" role="{role}" aria-label="{name}">' + "".join(body) + "</svg>"
    )


def svg_text(x: float, y: float, content: str, style: str = "label", anchor: str = "start") -> str:
    """Return a text element whose baseline starts, ends or is centred at (x, y)."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{escape(content)}</text>'


def svg_line(start: tuple[float, float], end: tuple[float, float], style: str) -> str:
    """Return a straight line."""
    (x1, y1), (x2, y2) = start, end
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def svg_rectangle(x: float, y: float, width: float, height: float, style: str, hint: str = "") -> str:
    """Return a rectangle; `hint` shows while the pointer rests on it."""
    shape = f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" class="{style}"'
    return f"{shape}><title>{escape(hint)}</title></rect>" if hint else f"{shape}/>"


def svg_link(parts: Sequence[str], anchor: str, name: str, room: tuple[float, float, float, float]) -> list[str]:
    """Return the parts as a link to an anchor of the page, over the whole room (x, y, width, height) that they have.

    Where there is no anchor, the parts are as they were.
    """
    if not anchor:
        return list(parts)
    return [f'<a href="#{escape(anchor, quote=True)}" aria-label="{escape(name, quote=True)}">',
            '<g aria-hidden="true">', *parts, svg_rectangle(*room, "hit", name), "</g></a>"]  # fmt: skip


def line_chart(
    lines: Sequence[Curve], *, size: Size, title: str, x_label: str, y_label: str, log_x: bool = False
) -> str:
    """Return lines over a common grid, each labelled at its right end instead of in a legend."""
    points = [point for curve in lines for point in curve.points]
    if not points:
        return svg_drawing([svg_text(8, 24, "No points to draw.", "muted")], Size(size.width, 40), title)
    margin = max((len(curve.label) for curve in lines), default=0) * LETTER + 16
    left, right, top, bottom = 40.0, size.width - margin, 26.0, size.height - 36.0
    highest = max(y for _, y in points)
    ticks = chart_ticks(0.0, highest or 1.0)
    y_ticks = ticks if ticks[-1] >= highest else [*ticks, ticks[-1] + ticks[1]]
    x_low, x_high = min(x for x, _ in points), max(x for x, _ in points)
    x_scale = Scale((x_low, x_high), (left, right), log=log_x)
    y_scale = Scale((0.0, y_ticks[-1]), (bottom, top))
    x_ticks = list(TICKS_LOG) if log_x else chart_ticks(x_low, x_high, 6)
    if all(float(x).is_integer() for x, _ in points):
        x_ticks = [tick for tick in x_ticks if float(tick).is_integer()]
    body = [svg_text(0, 12, y_label, "axis"), svg_text((left + right) / 2, size.height - 4, x_label, "axis", "middle")]
    for tick in y_ticks:
        body.append(svg_line((left, y_scale(tick)), (right, y_scale(tick)), "grid"))
        body.append(svg_text(left - 6, y_scale(tick) + 4, chart_number(tick), "axis", "end"))
    for tick in filter(lambda tick: x_low <= tick <= x_high, x_ticks):
        body.append(svg_text(x_scale(tick), bottom + 17, chart_number(tick), "axis", "middle"))
        body.append(svg_line((x_scale(tick), bottom), (x_scale(tick), bottom + 4), "grid"))
    ends = [y_scale(curve.points[-1][1]) + 4 for curve in lines]
    places = spaced_chart_labels(ends, FONT + 2, top + 4, bottom + 4)
    for curve, place in zip(lines, places, strict=True):
        path = " ".join(f"{x_scale(x):.1f},{y_scale(y):.1f}" for x, y in curve.points)
        body.append(f'<polyline points="{path}" class="line {curve.style}"><title>{escape(curve.label)}</title>')
        body.append("</polyline>")
        end_x, end_y = x_scale(curve.points[-1][0]), y_scale(curve.points[-1][1])
        body.append(svg_line((end_x + 2, end_y), (right + 7, place - 4), f"leader {curve.style}"))
        body.append(svg_text(right + 9, place, curve.label, f"label ink {curve.style}"))
    return svg_drawing(body, size, title)


def dot_chart(
    rows: Sequence[Dot], *, width: float, title: str, domain: tuple[float, float], axis: str = "", zero: bool = False
) -> str:
    """Return one row per estimate: its label, a dot, the interval as a line and the value; `zero` marks 0.

    Labels stand before the dots, or above them where they would take too much of the width.
    """
    label_width = max((len(row.label) for row in rows), default=0) * LETTER + 14
    above = label_width > 0.45 * width
    step, left = (38.0, 8.0) if above else (22.0, label_width)
    right, top = width - 48.0, 8.0
    bottom = top + step * len(rows)
    scale = Scale(domain, (left, right))
    body = []
    for tick in chart_ticks(*domain, count=max(2, int((right - left) / 45))):
        body.append(svg_line((scale(tick), top), (scale(tick), bottom), "grid"))
        body.append(svg_text(scale(tick), bottom + 16, chart_number(tick), "axis", "middle"))
    if zero:
        body.append(svg_line((scale(0), top - 4), (scale(0), bottom), "zero"))
    for index, row in enumerate(rows):
        y = top + step * (index + (0.72 if above else 0.5))
        label = (
            svg_text(0, y - 12, row.label, "label halo")
            if above
            else svg_text(left - 10, y + 4, row.label, anchor="end")
        )
        value = f"{row.value:+.1f}".replace("-", "−") if zero else f"{row.value:.1f}"
        body += [label, _svg_dot(row, scale, y), svg_text(width, y + 4, value, "value", "end")]
    height = bottom + (38 if axis else 22)
    if axis:
        body.append(svg_text((left + right) / 2, height - 4, axis, "axis", "middle"))
    return svg_drawing(body, Size(width, height), title)


def _svg_dot(row: Dot, scale: Scale, y: float) -> str:
    hint = escape(f"{row.label}: {row.value:.1f} ({row.low:.1f} to {row.high:.1f})")
    whisker = svg_line((scale(row.low), y), (scale(row.high), y), f"whisker {row.style}")
    circle = f'<circle cx="{scale(row.value):.1f}" cy="{y:.1f}" r="4.5" class="dot {row.style}"/>'
    return f"<g><title>{hint}</title>{whisker}{circle}</g>"


def bar_chart(rows: Sequence[Bar], *, width: float, title: str) -> str:
    """Return one bar per row, label above, note at the right end."""
    step, longest = 38.0, max((row.value for row in rows), default=0.0) or 1.0
    note = max((len(row.note) for row in rows), default=0) * LETTER + 10
    body = []
    for index, row in enumerate(rows):
        top = index * step
        room = max(1, int(width / LETTER))
        label = row.label if len(row.label) <= room else row.label[: room - 1] + "…"
        length = (width - note) * row.value / longest
        bar = svg_rectangle(0, top + 19, length, 9, "bar", f"{row.label}: {row.note}")
        value = svg_text(length + 7, top + 28, row.note, "value")
        body += svg_link(
            [svg_text(0, top + 13, label, "label"), bar, value],
            row.link,
            f"{row.label}: {row.note}",
            (0, top, width, step),
        )
    return svg_drawing(body, Size(width, max(step * len(rows), 1)), title)

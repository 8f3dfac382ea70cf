"""Draws a funnel as flows, top to bottom: what stays flows on, what leaves falls away at the right of its step.

Widths are rows, of one scale for videos, pairs, texts and triplets; what is there is never thinner than a line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cvr_data.pages.charts import (
    LETTER,
    FunnelBar,
    Size,
    escape,
    svg_drawing,
    svg_line,
    svg_rectangle,
    svg_text,
    wrap_chart_items,
)

STAGES = ("videos", "pairs", "texts", "triplets")
"""What becomes what; a stage that comes before the one above it begins another funnel."""
NODE = 7.0
"""Height of a step's bar."""
FALL = 26.0
"""How far what leaves is seen to fall."""
GAP = 3
"""Between steps side by side."""
ROW = 46.0
REASONS = 6
"""Reasons that are named per step; the others are summed up."""


@dataclass(frozen=True)
class Node:
    """A step where it is drawn."""

    step: FunnelBar
    x: float
    y: float
    width_before: float
    width_after: float


@dataclass(frozen=True)
class StepBand:
    """Steps side by side (texts of several sources), or one step."""

    nodes: list[Node]
    lines: list[tuple[str, str]]
    """(style, words) of its label, line by line."""

    @property
    def unit(self) -> str:
        """What its steps count."""
        return self.nodes[0].step.unit


def sankey(steps: Sequence[FunnelBar], *, width: float, title: str) -> str:
    """Return the drawing; `title` is what it says to those who cannot see it."""
    room = round(width * (0.56 if width > 500 else 0.4))
    label_x = room + 18
    rows, height = _sankey_rows(steps, room, width - label_x)
    stops = '<stop offset="0" class="fade"/><stop offset="1" class="fade" stop-opacity="0"/>'
    body = [f'<defs><linearGradient id="fade{width:g}" x1="0" y1="0" x2="0" y2="1">{stops}</linearGradient></defs>']
    for above, below in pairwise(rows):
        body += _streams(above, below)
    for index, row in enumerate(rows):
        if index == 0 or rows[index - 1].unit != row.unit:
            body.append(svg_text(0, row.nodes[0].y - 8, row.unit.capitalize(), "heading"))
        for node in row.nodes:
            body += _sankey_node(node, width)
        last = row.nodes[-1]
        body.append(svg_line((last.x + last.width_before + 4, last.y + 4), (label_x - 6, last.y + 4), "grid"))
        for number, (style, words) in enumerate(row.lines):
            body.append(svg_text(label_x, last.y + 8 + 16 * number, words, style))
    return svg_drawing(body, Size(width, height), title, "sankey")


def _sankey_rows(steps: Sequence[FunnelBar], room: float, label_width: float) -> tuple[list[StepBand], float]:
    groups: list[list[FunnelBar]] = []
    for step in steps:
        beside = groups and not step.follows and groups[-1][0].unit == step.unit and not groups[-1][0].follows
        if beside:
            groups[-1].append(step)
        else:
            groups.append([step])
    sums = [max(sum(step.before for step in group), sum(step.after for step in group)) for group in groups]
    gaps = max((GAP * (len(group) - 1) for group in groups), default=0)
    per_row = (room - gaps) / max([1, *sums])
    rows: list[StepBand] = []
    y = 0.0
    for index, group in enumerate(groups):
        y += 30 if index == 0 or groups[index - 1][0].unit != group[0].unit else 0
        nodes, x = [], 0.0
        for step in group:
            widths = [max(1.5 * bool(count), count * per_row) for count in (max(step.before, step.after), step.after)]
            nodes.append(Node(step, x, y, *widths))
            x += widths[0] + GAP
        lines = _sankey_lines(group, label_width)
        rows.append(StepBand(nodes, lines))
        y += max(ROW, 16.0 * len(lines) + 14)
    return rows, y


def _sankey_lines(group: Sequence[FunnelBar], width: float) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for step in group:
        counts = f"{step.before:,} → {step.after:,}" if step.before != step.after else f"{step.after:,}"
        found += [("label", words) for words in wrap_chart_items([_sankey_cut(step.label, width), counts], width, "  ")]
        shown, rest = step.losses[:REASONS], step.losses[REASONS:]
        reasons = [f"−{count:,} {reason}" for reason, count in shown]
        reasons += [f"−{sum(count for _, count in rest):,} for {len(rest)} other reasons"] if rest else []
        found += [
            ("muted", words)
            for words in wrap_chart_items([_sankey_cut(reason, width) for reason in reasons], width, "  ·  ")
        ]
    return found


def _sankey_cut(words: str, width: float) -> str:
    most = max(4, int(width / LETTER))
    return words if len(words) <= most else words[: most - 1] + "…"


def _sankey_node(node: Node, width: float) -> list[str]:
    step = node.step
    parts = [svg_rectangle(node.x, node.y, node.width_after, NODE, "kept", f"{step.label}: {step.after:,} stay")]
    losses = list(step.losses) or ([("left out", step.before - step.after)] if step.before > step.after else [])
    lost, x = sum(count for _, count in losses), node.x + node.width_after
    for reason, count in losses if step.before > step.after else ():
        share = (node.width_before - node.width_after) * count / lost
        parts.append(svg_rectangle(x, node.y, max(share - 0.7, 0.7), NODE, "lost"))
        shape = _ribbon((x, x + share - 0.7), (x + 14, x + 14 + share - 0.7), node.y + NODE, node.y + NODE + FALL)
        hint = f"<title>{escape(f'{count:,} {reason}')}</title>"
        parts.append(f'<path d="{shape}" fill="url(#fade{width:g})">{hint}</path>')
        x += share
    return parts


def _streams(above: StepBand, below: StepBand) -> list[str]:
    """What flows from one row to the next: all of it within a unit, a part to each where a unit becomes another."""
    if above.unit == below.unit:
        joins = sum(node.step.after for node in above.nodes) == sum(node.step.before for node in below.nodes)
        return (
            [_sankey_stream(above.nodes[0], below.nodes[0])]
            if joins and len(above.nodes) == len(below.nodes) == 1
            else []
        )
    if STAGES.index(above.unit) > STAGES.index(below.unit):
        return []
    if len(above.nodes) > 1 and len(below.nodes) == 1:
        # Texts of several sources meet in the triplets, one beside the other.
        target, x, drawn = below.nodes[0], below.nodes[0].x, []
        whole = sum(node.width_after for node in above.nodes)
        for node in above.nodes:
            part = target.width_before * node.width_after / whole if whole else 0
            ends = (node.x, node.x + node.width_after), (x, x + part)
            drawn.append(_sankey_path(_ribbon(*ends, node.y + NODE, target.y)))
            x += part
        return drawn
    return [_sankey_stream(above.nodes[0], node) for node in below.nodes]


def _sankey_stream(above: Node, below: Node) -> str:
    ends = (above.x, above.x + above.width_after), (below.x, below.x + below.width_before)
    return _sankey_path(_ribbon(*ends, above.y + NODE, below.y))


def _sankey_path(shape: str) -> str:
    return f'<path d="{shape}" class="stream"/>'


def _ribbon(top: tuple[float, float], bottom: tuple[float, float], y_top: float, y_bottom: float) -> str:
    middle = (y_top + y_bottom) / 2
    (left, right), (low_left, low_right) = top, bottom
    return (
        f"M{left:.1f},{y_top:.1f} C{left:.1f},{middle:.1f} {low_left:.1f},{middle:.1f} {low_left:.1f},{y_bottom:.1f} "
        f"L{low_right:.1f},{y_bottom:.1f} "
        f"C{low_right:.1f},{middle:.1f} {right:.1f},{middle:.1f} {right:.1f},{y_top:.1f} Z"
    )

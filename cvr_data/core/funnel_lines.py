"""The funnel of a stage as lines of a terminal: what each step left, and why the others went."""

from collections.abc import Mapping, Sequence
from typing import Any

HEADER = f"  {'step':<18}{'left':>10}  dropped"


def manifest_funnel_lines(funnel: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a header and a line for each step that a manifest records."""
    lines = [HEADER]
    for step in funnel:
        reasons = ", ".join(f"{count} {reason}" for reason, count in step["dropped"].items()) or "none"
        lines.append(f"  {step['step']:<18}{step['out']:>10}  {reasons}")
    return lines

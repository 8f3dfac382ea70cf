"""Which numbers an option may have: said in the metadata of its field, checked at one place.

    temperature: float = field(default=0.07, metadata=option_range(TEMPERATURE))
    layers: int = field(default=2, metadata=option_range("[1, inf)"))

`[0, inf]` takes infinity too. A field that says nothing takes numbers that float32 has, of whole ones those from 0 on.
"""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

RANGE = "range"
SIZE, SHARE = "[1, inf)", "[0, 1)"
POSITIVE, NOT_NEGATIVE = "(0, inf)", "[0, inf)"
TEMPERATURE = "[0.0001, 10000]"
"""What similarities are divided by: beyond it logits are no float32, or all equal in it."""
LARGEST_WHOLE, LARGEST = 2**31 - 1, 1e30
"""Larger options are mistakes: products of a few of them would overflow."""
_SHAPE = re.compile(r"([\[(])(-?[\d.]+), (-?[\d.]+|inf)([\])])")


def option_range(interval: str) -> dict[str, str]:
    """Return the metadata of a field whose numbers lie in an interval, such as `[0, 1)` or `(0, inf)`."""
    if not _SHAPE.fullmatch(interval):
        raise ValueError(f"An interval looks like [0, 1) or (0, inf), got {interval!r}.")
    return {RANGE: interval}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ranged:
    """A Config whose numbers are in the ranges of its fields however it is made, not only from the command line."""

    def __post_init__(self) -> None:
        check_ranges(type(self), vars(self))


def check_ranges(config_class: type, values: Mapping[str, Any]) -> None:
    """Refuse numbers outside the ranges of a Config's fields. Raises ValueError: names the first field."""
    for each in dataclasses.fields(config_class):
        value = values.get(each.name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            _check_range(each.name, value, each.metadata.get(RANGE))


def _check_range(name: str, value: float, interval: str | None) -> None:
    largest = LARGEST_WHOLE if isinstance(value, int) else LARGEST
    if value == math.inf and (interval or "").endswith("inf]"):
        return
    if not math.isfinite(value) or abs(value) > largest:
        raise ValueError(f"{name} must be a number of at most {largest:g}, got {value:g}.")
    interval = interval or (NOT_NEGATIVE if isinstance(value, int) else None)
    match = _SHAPE.fullmatch(interval) if interval else None
    if match is None or interval is None:
        return
    opens, low, high, closes = match.groups()
    is_above = value >= float(low) if opens == "[" else value > float(low)
    is_below = value <= float(high) if closes == "]" else value < float(high)
    if not (is_above and is_below):
        above = f"at least {low}" if opens == "[" else f"above {low}"
        raise ValueError(f"{name} must be {above if high == 'inf' else f'in {interval}'}, got {value}.")

"""A band of values that stays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark


@dataclass(frozen=True)
class Band:
    """The column, the reasons for being dropped below and above the bounds, and how to write a value."""

    column: str
    below: str | None = None
    above: str | None = None
    unit: str = ""


Run = Callable[[Any, pa.Table], pa.Table]
Bounds = Callable[[Any], Sequence[tuple[float, str]]]
Explain = Callable[[Any, Mapping[str, Any]], str]


def video_band_filter(band: Band) -> tuple[Run, Bounds, Explain]:
    """Return `run`, `bounds` and `explain` of a filter that is a band: between `low` and `high`, as its options have.

    Workers are sent them, so they are module-level functions.
    """
    return partial(_run_band, band), _bounds_of_band, partial(_explain_band, band)


def _run_band(band: Band, config: Any, table: pa.Table) -> pa.Table:
    return mark_video_band(table, band, *_ends(config))


def _bounds_of_band(config: Any) -> Sequence[tuple[float, str]]:
    return video_bounds(*_ends(config))


def _explain_band(band: Band, config: Any, row: Mapping[str, Any]) -> str:
    return explain_video_band(row, band, *_ends(config))


def _ends(config: Any) -> tuple[float | None, float | None]:
    return getattr(config, "low", None), getattr(config, "high", None)


def mark_video_band(table: pa.Table, band: Band, low: float | None, high: float | None) -> pa.Table:
    """Return the table with `drop_reason` where the column is below `low` or above `high`; nulls stay."""
    values = table.column(band.column)
    if low is not None and band.below is not None:
        table = mark(table, pc.less(values, low), band.below)
    if high is not None and band.above is not None:
        table = mark(table, pc.greater(values, high), band.above)
    return table


def video_bounds(low: float | None, high: float | None) -> list[tuple[float, str]]:
    """Return the bounds that there are, each with its words."""
    named = ((low, "at least"), (high, "at most"))
    return [(float(value), f"{words} {value:g}") for value, words in named if value is not None]


def explain_video_band(row: Mapping[str, Any], band: Band, low: float | None, high: float | None) -> str:
    """Return the value of a dropped row against the bound it is beyond."""
    value = row[band.column]
    bound = f"below {low:g}" if low is not None and value < low else f"above {high:g}"
    return f"{band.column.replace('_', ' ')} {value:.4g}{band.unit} is {bound}{band.unit}"


def check_video_band(low: float | None, high: float | None) -> None:
    """Raise ValueError where no value lies between the bounds."""
    if low is not None and high is not None and not low < high:
        raise ValueError(f"low and high must rise, got {low} and {high}.")


def video_filter_example_rows(column: str, values: Sequence[tuple[Any, str | None]]) -> list[dict[str, Any]]:
    """Return rows of an EXAMPLE: a value of the column and the `drop_reason` it gets."""
    return [{column: value, "drop_reason": reason} for value, reason in values]

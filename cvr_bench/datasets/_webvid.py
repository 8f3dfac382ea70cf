"""Queries of a WebVid-CoVR CSV, short or dense."""

from pathlib import Path

from cvr_bench.datasets._composed import Row, rows_of
from cvr_bench.task import Mean
from cvr_data.formats import FORMATS

MEANS = {"meanR3": Mean(("R@1", "R@5", "R@10")), "meanR4": Mean(("R@1", "R@5", "R@10", "R@50"))}
"""What CoVR's code writes beside its recalls."""


def read_rows(path: Path, split: str = "test") -> list[Row]:
    """Return one query per row of the file, each with its own target; `txt1` describes the reference.

    Raises:
        CvrError: a column is missing or empty.
    """
    layout = FORMATS.get("webvid-covr")
    return rows_of(layout.read(layout.Config(split=split), path))

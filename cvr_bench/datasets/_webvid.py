"""Queries of a WebVid-CoVR CSV, short or dense."""

from pathlib import Path

from cvr_bench.datasets._composed import Row
from cvr_bench.task import Mean
from cvr_data.formats import FORMATS

MEANS = {"meanR3": Mean(("R@1", "R@5", "R@10")), "meanR4": Mean(("R@1", "R@5", "R@10", "R@50"))}
"""What CoVR's code writes beside its recalls."""


def read_rows(path: Path) -> list[Row]:
    """Return one query per row of the file, each with its own target; `txt1` describes the reference.

    Raises:
        CvrError: a column is missing or empty.
    """
    layout = FORMATS.get("webvid-covr")
    table = layout.read(layout.Config(split="test"), path)
    names = ["triplet_id", "reference_id", "modification", "target_id", "reference_caption", "frame_scores"]
    return [
        Row(
            query_id=row["triplet_id"],
            reference_id=row["reference_id"],
            modification=row["modification"],
            target_ids=(row["target_id"],),
            description=row["reference_caption"],
            frame_scores=tuple(row["frame_scores"] or ()),
        )
        for row in table.select(names).to_pylist()
    ]

"""The log of a training: one row per epoch, as CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

LOG = "training.csv"

Row = dict[str, float]
"""epoch, loss, loss_<part>, lr, seconds, triplets_per_s and, where validated, mean and R@K."""


def write_log(path: Path, rows: Sequence[Row]) -> None:
    """Write all rows; a value that a row lacks is empty, and the file appears whole."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _short(value) for name, value in row.items()} for row in rows)
    write_whole(path, text.getvalue())


def write_whole(path: Path, text: str) -> None:
    """Write a text file that appears whole."""
    temporary = path.with_suffix(".partial")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _short(value: float) -> str:
    return f"{value:.6g}"

"""The CSV layout of CoVR's data sets, one row per triplet: WebVid-CoVR's, and those that follow it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.errors import CvrError, did_you_mean, first_few
from cvr_data.core.files import read_columns
from cvr_data.core.whole_files import write_bytes
from cvr_data.formats import _rows
from cvr_data.formats._rows import OfSplits
from cvr_data.tables import QUERY_NUMBER

REQUIRED = ("pth1", "pth2", "edit")
NUMBERS = ("text_similarity", "visual_similarity", "person_prob")
KINDS = {"person_prob": pa.float32(), "reference_description": pa.string(), "target_description": pa.string()}
"""Types of the columns that are not in every triplets table."""


@dataclass(frozen=True, kw_only=True)
class CovrCsv(OfSplits):
    """Options of these layouts."""

    split: str = ""
    """Split of the rows read: train, val or test. Empty: the one in the file's name (`…_test.csv`), else train."""


def check_covr_csv_columns(columns: Sequence[str], known: Mapping[str, str]) -> None:
    """Raise ValueError unless the columns are known ones, with those that make a triplet: a Config's own check."""
    for name in columns:
        if name not in known:
            raise ValueError(f"unknown column {name!r}. {did_you_mean(name, known)}")
    if missing := [name for name in REQUIRED if name not in columns]:
        raise ValueError(f"columns must have {', '.join(REQUIRED)}; missing: {', '.join(missing)}.")


def write_covr_csv_files(triplets: pa.Table, out: Path, stem: str, columns: Mapping[str, str]) -> list[Path]:
    """Write `out`/<stem>_{train,val,test}.csv, each split that has rows, and return the paths."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for split, rows in _rows.file_rows_by_split(triplets):
        paths.append(out / f"{stem}_{split}.csv")
        write_bytes(paths[-1], covr_format_csv(rows, columns))
    return paths


def covr_format_csv(triplets: pa.Table, columns: Mapping[str, str]) -> bytes:
    """Return the triplets as CSV text; `columns` is column of the file -> ours, in order; unknown values are empty."""
    cells = [_covr_csv_cells(triplets, name) for name in columns.values()]
    return _rows.format_csv_text(list(columns), zip(*cells, strict=True))


def read_covr_csv_files(config: CovrCsv, path: Path, columns: Mapping[str, str]) -> pa.Table:
    """Return the triplets of a CSV file, or of all `*.csv` of a folder; an empty `split` is taken from the names.

    Raises:
        CvrError: the file is empty or no CSV, lacks a required column, or a number or list in it is none.
    """
    if path.is_dir():
        files = sorted(path.glob("*.csv"))
        if not files:
            raise CvrError(f"{path} holds no .csv file.")
        return _rows.concat_format_tables([read_covr_csv_files(config, file, columns) for file in files])
    cells = read_columns(path, columns, REQUIRED)
    values = {columns[name]: _covr_csv_values(name, columns[name], texts, path) for name, texts in cells.items()}
    split = config.split or _rows.split_in_file_name(path)
    return _rows.format_file_triplets(values, where=path, split=split, style=config.style, kinds=KINDS)


def _covr_csv_cells(triplets: pa.Table, name: str) -> list[str]:
    if name == QUERY_NUMBER:
        return [str(number) for number in _rows.format_row_numbers(triplets)]
    values = _rows.format_column(triplets, name)
    if name == "frame_scores":
        is_known = name in triplets.column_names
        return [str([round(score, 4) for score in scores or []]) if is_known else "" for scores in values]
    if name in NUMBERS:
        return ["" if value is None else str(np.float32(value)) for value in values]  # shortest text of the same float
    return ["" if value is None else str(value) for value in values]


def _covr_csv_values(name: str, ours: str, texts: list[str], path: Path) -> list[Any]:
    if ours in NUMBERS:
        return _rows.format_csv_cells(texts, float, name=name, path=path)
    if ours == QUERY_NUMBER:
        return _rows.format_csv_cells(texts, int, name=name, path=path)
    if ours == "frame_scores":
        return _rows.format_csv_cells(
            texts, lambda text: [float(score) for score in _rows.format_csv_literal(text)] or None, name=name, path=path
        )
    if name in REQUIRED and (blank := [row for row, text in enumerate(texts) if not text]):
        raise CvrError(f"{path}: column {name!r} is empty in rows {first_few(blank)} (counted from 0).")
    return [text or None for text in texts]

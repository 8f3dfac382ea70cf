"""TF-CoVR, CSV or Parquet: labelled pairs to train on, queries with several targets to score.

    train_finegd.csv, val_finegd.csv    query_video, target_video, label1, label2,
                                        modification: {"<label2>": {"modification": "..."}}
    test_finegd.csv                     query_id, query_video, target_video, target_videos_ids (a list), modification

Which of the two a file is, its columns tell. Lists and dicts may be values or the text of one. Labels (the action of a
clip) become the extra columns `reference_label` and `target_label`; a clip of ours without one is labelled with its
caption, else its id.

Source: Gupta et al., NeurIPS 2025; names and columns as https://github.com/UCF-CRCV/TF-CoVR reads them (some of its
code calls the test file test_video_pairs_v2.csv). The set on the Hub is Parquet; its files could not be had, so they
are taken to have the same columns and to be named as the Hub names splits.

Unseen: the published files were not at hand; the reader follows the code that reads them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.core.files import read_columns
from cvr_data.formats import _rows
from cvr_data.formats._rows import OfSplits
from cvr_data.tables import QUERY_NUMBER, SPLITS

PAIRS = ("query_video", "target_video", "label1", "label2", "modification")
QUERIES = ("query_id", "query_video", "target_video", "target_videos_ids", "modification")
KINDS = {"reference_label": pa.string(), "target_label": pa.string()}
ENDS = ("reference", "target")
FOLDERS = ("annotations/", "data/")
STEMS = {split: (f"{split}_finegd", f"{split}_video_pairs_v2", split, f"{split}-00000-of-00001") for split in SPLITS}
FILES = {
    split: tuple(f"{folder}{stem}{suffix}" for folder in FOLDERS for suffix in (".csv", ".parquet") for stem in stems)
    for split, stems in STEMS.items()
}
"""Split -> the places of its file, in these folders or not; the first is ours."""


@dataclass(frozen=True, kw_only=True)
class Config(OfSplits):
    style: str = "action"
    """Style of the texts read: the file does not say, and all of them change the action."""


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write `out`/annotations/{train,val,test}_finegd.csv, each split that has rows, and return the paths."""
    paths = []
    for split, rows in _rows.file_rows_by_split(triplets):
        header, lines = (QUERIES, _query_lines(rows)) if split == "test" else (PAIRS, _pair_lines(rows))
        paths.append(_rows.write_format_csv(out / FILES[split][0], header, lines))
    return paths


def read(config: Config, path: Path) -> pa.Table:
    """Return the triplets of a CSV or Parquet file, or of those of a folder: a row per query and target."""
    return _rows.format_triplets_of_files(path, FILES, config, _read_file)


def _pair_lines(rows: pa.Table) -> Iterator[Sequence[str]]:
    for row in rows.to_pylist():
        labels = [row.get(f"{end}_label") or row[f"{end}_caption"] or row[f"{end}_id"] for end in ENDS]
        yield row["reference_id"], row["target_id"], *labels, str({labels[1]: {"modification": row["modification"]}})


def _query_lines(rows: pa.Table) -> Iterator[Sequence[str]]:
    for query in _rows.format_queries_in_file(rows):
        targets = query.target_ids
        yield str(query.number), query.first["reference_id"], targets[0], str(targets), query.first["modification"]


def _read_file(config: Config, path: Path, split: str) -> pa.Table:
    cells = read_columns(path, dict.fromkeys((*PAIRS, *QUERIES)), ("query_video", "target_video", "modification"))
    columns = _of_queries(cells, path) if "target_videos_ids" in cells else _of_pairs(cells, path)
    return _rows.format_file_triplets(columns, where=path, split=split, style=config.style, kinds=KINDS)


def _of_pairs(cells: Mapping[str, list[Any]], path: Path) -> dict[str, list[Any]]:
    if "label2" not in cells:
        raise CvrError(f"{path} has neither 'label2' (pairs) nor 'target_videos_ids' (queries).")
    texts = _rows.format_csv_cells(cells["modification"], _texts_by_label, name="modification", path=path)
    labels = [str(label) for label in cells["label2"]]
    for row, (by_label, label) in enumerate(zip(texts, labels, strict=True)):
        if label not in (by_label or {}):
            raise CvrError(f"{path}: row {row} (counted from 0): 'modification' has no text for label {label!r}.")
    return {
        "reference_id": cells["query_video"],
        "target_id": cells["target_video"],
        "modification": [by_label[label] for by_label, label in zip(texts, labels, strict=True)],
        "reference_label": [
            None if label is None else str(label) for label in cells.get("label1", [None] * len(texts))
        ],
        "target_label": labels,
    }


def _of_queries(cells: Mapping[str, list[Any]], path: Path) -> dict[str, list[Any]]:
    listed = _rows.format_csv_cells(
        cells["target_videos_ids"], _rows.format_csv_texts, name="target_videos_ids", path=path
    )
    firsts = cells["target_video"]
    targets = [
        [first, *(target_id for target_id in others or () if target_id != first)]
        for first, others in zip(firsts, listed, strict=True)
    ]
    places = [(row, target_id) for row, targets_of_row in enumerate(targets) for target_id in targets_of_row]
    numbers: Sequence[Any] = _rows.format_csv_cells(cells.get("query_id", []), int, name="query_id", path=path)
    if len(set(numbers)) < len(firsts):
        numbers = range(len(firsts))
    return {
        "reference_id": [cells["query_video"][row] for row, _ in places],
        "target_id": [target_id for _, target_id in places],
        "modification": [cells["modification"][row] for row, _ in places],
        QUERY_NUMBER: [numbers[row] for row, _ in places],
    }


def _texts_by_label(text: Any) -> dict[str, str]:
    # A struct of Parquet has the labels of all rows, those of the others without a value.
    return {
        str(label): str(entry["modification"])
        for label, entry in _rows.format_csv_literal(text).items()
        if entry is not None
    }

"""TF-CoVR CSV: labelled pairs to train on, queries with several targets to score.

    train_finegd.csv, val_finegd.csv    query_video, target_video, label1, label2,
                                        modification: {"<label2>": {"modification": "..."}}
    test_video_pairs_v2.csv             query_id, query_video, target_video, target_videos_ids (a list), modification

Which of the two a file is, its columns tell. Labels (the action of a clip) become the extra columns `reference_label`
and `target_label`; a clip of ours without one is labelled with its caption, else its id.

Source: Gupta et al., NeurIPS 2025; files and columns as https://github.com/UCF-CRCV/TF-CoVR reads them, since the
published ones could not be had.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.artifacts import write_bytes
from cvr_data.errors import CvrError
from cvr_data.formats._csv import literal, parsed, read_csv, texts_of, to_csv
from cvr_data.formats._rows import QUERY_NUMBER, by_split, check_split, concat, files_of, queries_of, to_triplets

PAIRS = ("query_video", "target_video", "label1", "label2", "modification")
QUERIES = ("query_id", "query_video", "target_video", "target_videos_ids", "modification")
KINDS = {"reference_label": pa.string(), "target_label": pa.string()}
ENDS = ("reference", "target")
NAMES = {"train": "train_finegd.csv", "val": "val_finegd.csv", "test": "test_video_pairs_v2.csv"}

EXAMPLE = (
    "query_id,query_video,target_video,target_videos_ids,modification\n0,v1,v2,\"['v2', 'v3']\",add a half twist\n"
)


@dataclass(frozen=True, kw_only=True)
class Config:
    split: str = ""
    """Read this split only: train, val or test. Empty: all of a folder, or the one that a file's name starts with."""
    style: str = "action"
    """Style of the texts read: the file does not say, and all of them change the action."""

    def __post_init__(self):
        check_split(self.split)


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write `out`/annotations/<file of each split that has rows> and return the paths."""
    folder = out / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for split, rows in by_split(triplets):
        paths.append(folder / NAMES[split])
        content = to_csv(QUERIES, _query_lines(rows)) if split == "test" else to_csv(PAIRS, _pair_lines(rows))
        write_bytes(paths[-1], content)
    return paths


def read(config: Config, path: Path) -> pa.Table:
    """Return the triplets of a CSV file, or of those of a folder: a row per query and target.

    Raises:
        CvrError: the file is absent or no CSV, lacks a column, or a list or dict in it is none.
    """
    if path.is_dir():
        names = {split: (f"annotations/{name}", name) for split, name in NAMES.items()}
        files = files_of(path, names, config.split)
        return concat([_read_file(config, file, split) for split, file in files.items()])
    named = next((split for split in NAMES if path.stem.lower().startswith(split)), "train")
    return _read_file(config, path, config.split or named)


def _pair_lines(rows: pa.Table) -> Iterator[Sequence[str]]:
    for row in rows.to_pylist():
        labels = [row.get(f"{end}_label") or row[f"{end}_caption"] or row[f"{end}_id"] for end in ENDS]
        yield row["reference_id"], row["target_id"], *labels, str({labels[1]: {"modification": row["modification"]}})


def _query_lines(rows: pa.Table) -> Iterator[Sequence[str]]:
    for query in queries_of(rows):
        targets = query.target_ids
        yield str(query.number), query.first["reference_id"], targets[0], str(targets), query.first["modification"]


def _read_file(config: Config, path: Path, split: str) -> pa.Table:
    cells = read_csv(path, dict.fromkeys((*PAIRS, *QUERIES)), ("query_video", "target_video", "modification"))
    columns = _of_queries(cells, path) if "target_videos_ids" in cells else _of_pairs(cells, path)
    return to_triplets(columns, where=path, split=split, style=config.style, kinds=KINDS)


def _of_pairs(cells: Mapping[str, list[str]], path: Path) -> dict[str, list[Any]]:
    if "label2" not in cells:
        raise CvrError(f"{path} has neither 'label2' (pairs) nor 'target_videos_ids' (queries).")
    texts = parsed(cells["modification"], _texts_by_label, name="modification", path=path)
    for row, (by_label, label) in enumerate(zip(texts, cells["label2"], strict=True)):
        if label not in (by_label or {}):
            raise CvrError(f"{path}: row {row} (counted from 0): 'modification' has no text for label {label!r}.")
    return {
        "reference_id": cells["query_video"],
        "target_id": cells["target_video"],
        "modification": [by_label[label] for by_label, label in zip(texts, cells["label2"], strict=True)],
        "reference_label": cells.get("label1", [None] * len(texts)),
        "target_label": cells["label2"],
    }


def _of_queries(cells: Mapping[str, list[str]], path: Path) -> dict[str, list[Any]]:
    listed = parsed(cells["target_videos_ids"], texts_of, name="target_videos_ids", path=path)
    firsts = cells["target_video"]
    targets = [
        [first, *(target_id for target_id in others or () if target_id != first)]
        for first, others in zip(firsts, listed, strict=True)
    ]
    places = [(row, target_id) for row, targets_of_row in enumerate(targets) for target_id in targets_of_row]
    numbers = parsed(cells["query_id"], int, name="query_id", path=path) if "query_id" in cells else range(len(firsts))
    return {
        "reference_id": [cells["query_video"][row] for row, _ in places],
        "target_id": [target_id for _, target_id in places],
        "modification": [cells["modification"][row] for row, _ in places],
        QUERY_NUMBER: [numbers[row] for row, _ in places],
    }


def _texts_by_label(text: str) -> dict[str, str]:
    return {str(label): str(entry["modification"]) for label, entry in literal(text).items()}

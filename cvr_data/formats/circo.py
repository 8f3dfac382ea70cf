"""CIRCO JSON: several targets per query, the first of them the one it was written for.

    annotations/{val,test}.json
    [{"reference_img_id": 271520, "target_img_id": 355099, "relative_caption": "shows two people ...",
      "shared_concept": "a girl with a traditional Chinese umbrella", "gt_img_ids": [355099, 528417], "id": 0,
      "semantic_aspects": ["cardinality"]}]

`shared_concept` and `semantic_aspects` become extra columns; the text is `relative_caption` alone. Ids are numbers
where all of them can be. The published test split hides its targets and is refused.

Source: Baldrati et al., ICCV 2023 (https://github.com/miccunifi/CIRCO).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.annotation_files import read_json_entries
from cvr_data.formats import _rows
from cvr_data.formats._rows import OfSplits
from cvr_data.tables import QUERY_NUMBER, SPLITS

KINDS = {"shared_concept": pa.string(), "semantic_aspects": pa.list_(pa.string())}
REQUIRED = ("reference_img_id", "relative_caption", "id")
NUMBER = re.compile(r"0|[1-9][0-9]*")
TARGETS = ("target_img_id", "gt_img_ids")


@dataclass(frozen=True, kw_only=True)
class Config(OfSplits):
    pass


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write `out`/annotations/{train,val,test}.json, each split that has rows, and return the paths."""
    return [
        _rows.write_format_json(out / "annotations" / f"{split}.json", _circo_entries(rows), indent=4)
        for split, rows in _rows.file_rows_by_split(triplets)
    ]


def read(config: Config, path: Path) -> pa.Table:
    """Return the triplets of a JSON file, or of a folder with `annotations/`: a row per query and target."""
    names = {split: [f"annotations/{split}.json"] for split in SPLITS}
    return _rows.format_triplets_of_files(path, names, config, _read_file)


def read_circo_format_queries(path: Path) -> pa.Table:
    """Return the queries of a JSON file, a row each, whether or not it tells their targets.

    Raises:
        CvrError: there is no such file, or it is no such JSON.
    """
    return _rows.format_file_queries(_circo_queries(read_json_entries(path, REQUIRED)), where=path, kinds=KINDS)


def _circo_entries(rows: pa.Table) -> list[dict[str, Any]]:
    queries = _rows.format_queries_in_file(rows)
    ids = [video_id for query in queries for video_id in (query.first["reference_id"], *query.target_ids)]
    as_id: type = int if all(NUMBER.fullmatch(video_id) for video_id in ids) else str
    return [
        {
            "reference_img_id": as_id(query.first["reference_id"]),
            "target_img_id": as_id(query.target_ids[0]),
            "relative_caption": query.first["modification"],
            "shared_concept": query.first.get("shared_concept") or "",
            "gt_img_ids": [as_id(target_id) for target_id in query.target_ids],
            "id": query.number,
            "semantic_aspects": query.first.get("semantic_aspects") or [],
        }
        for query in queries
    ]


def _read_file(config: Config, path: Path, split: str) -> pa.Table:
    entries = read_json_entries(path, REQUIRED, TARGETS)
    pairs = [(entry, target_id) for entry in entries for target_id in _circo_targets(entry)]
    columns = {**_circo_queries([entry for entry, _ in pairs]), "target_id": [str(target_id) for _, target_id in pairs]}
    return _rows.format_file_triplets(columns, where=path, split=split, style=config.style, kinds=KINDS)


def _circo_queries(entries: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {
        "reference_id": [str(entry["reference_img_id"]) for entry in entries],
        "modification": [entry["relative_caption"] for entry in entries],
        QUERY_NUMBER: [entry["id"] for entry in entries],
        **{name: [entry.get(name) for entry in entries] for name in KINDS},
    }


def _circo_targets(entry: dict[str, Any]) -> list[Any]:
    """All targets, the one the query was written for first."""
    first = entry["target_img_id"]
    return [first, *(target_id for target_id in entry["gt_img_ids"] if target_id != first)]

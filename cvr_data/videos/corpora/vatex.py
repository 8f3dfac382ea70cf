"""VATEX's captions: vatex_training_v1.0.json, vatex_validation_v1.0.json, vatex_public_test_english_v1.1.json.

    cvr import vatex vatex/ -o media=vatex/videos

The id is the YouTube id with two times. {train,val,test}_list.txt beside the JSON decide the split; a clip that they do
not name has the split of its file's name.

Source: Wang et al., ICCV 2019 (https://arxiv.org/abs/1904.03493). Captions CC BY 4.0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from cvr_data.core.annotation_files import read_json
from cvr_data.core.errors import CvrError
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import entry_of, listed_splits, source_files, split_of, tables, texts

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Config:
    path: Path = field(metadata={"output": False})
    """A JSON file, or the folder of them."""
    language: Literal["en", "zh"] = "en"
    """Which captions."""
    media: Path | None = None
    """Folder of the media files, searched to any depth for <id>.mp4; default: captions only."""
    check: bool = True
    """Open every media file and decode its first frame."""


def inputs(config: Config) -> dict[str, Path]:
    """Return the files it reads.

    Raises:
        CvrError: there is none.
    """
    return {file.name: file for file in source_files(config.path, ".json")}


def count(config: Config) -> int | None:
    """Return how many rows `load` gives, where that is known without reading."""
    return None


def load(config: Config, out: Path | None) -> Iterator[pa.Table]:
    """Yield the videos in slices.

    Raises:
        CvrError: a file is of another shape.
    """
    yield from tables(_entries(config), "vatex", where=config.path, media=config.media, check=config.check)


def _entries(config: Config) -> Iterator[Entry]:
    for path in source_files(config.path, ".json"):
        rows = read_json(path)
        if not isinstance(rows, list) or not any(isinstance(row, dict) and "videoID" in row for row in rows):
            raise CvrError(f"{path}: not VATEX's captions: expected a list of objects with videoID.")
        listed = listed_splits(path.parent)
        for number, row in enumerate(rows, 1):
            yield _entry(config, row if isinstance(row, dict) else {}, path, listed, number)


def _entry(config: Config, row: dict[str, Any], path: Path, listed: dict[str, str], number: int) -> Entry:
    captions = texts(row.get("enCap" if config.language == "en" else "chCap"))
    entry = entry_of(row.get("videoID"), captions, f"{path.name} row {number}")
    entry.values["split"] = listed.get(entry.video_id) or split_of(path)
    recording, _, _ = entry.video_id.rpartition("_")[0].rpartition("_")
    entry.values["url"] = f"https://www.youtube.com/watch?v={recording}" if recording else None
    return entry

"""Charades: Charades_v1_train.csv and Charades_v1_test.csv, one of FineCVR's sources.

    cvr import charades Charades/ -o media=Charades_v1_480

Captions are the descriptions that people wrote of the video, the long description is the script that it was acted from.
The split is told by the file's name.

Source: Sigurdsson et al., ECCV 2016 (https://arxiv.org/abs/1604.01753). Non-commercial use.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from cvr_data.core.files import Row
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import checked_tables, entry_from, seconds, table_rows, tables, texts

VERSION = 1
COLUMNS = {"id", "script", "descriptions", "length"}


@dataclass(frozen=True, kw_only=True)
class Config:
    path: Path = field(metadata={"output": False})
    """A CSV file, or the folder of them."""
    media: Path | None = None
    """Folder of the media files, searched to any depth for <id>.mp4; default: captions only."""
    check: bool = True
    """Open every media file and decode its first frame."""


def inputs(config: Config) -> dict[str, Path]:
    """Return the files it reads.

    Raises:
        CvrError: a file is missing, empty, or lacks a column.
    """
    return checked_tables(config.path, COLUMNS)


def count(config: Config) -> int | None:
    """Return how many rows `load` gives, where that is known without reading."""
    return None


def load(config: Config, out: Path | None) -> Iterator[pa.Table]:
    """Yield the videos in slices."""
    entries = (_entry(config, row, file) for row, file in table_rows(config.path, COLUMNS))
    yield from tables(entries, "charades", where=config.path, media=config.media, check=config.check)


def _entry(config: Config, row: Row, file: Path) -> Entry:
    captions = str(row.values.get("descriptions") or "").split(";")
    entry = entry_from(row, "id", texts(captions), file)
    entry.values["description"] = row.values.get("script")
    entry.values["duration_s"] = seconds(row.values.get("length"))
    return entry

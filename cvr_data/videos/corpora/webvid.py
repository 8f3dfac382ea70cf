"""WebVid's CSV: videoid, contentUrl, duration, page_dir, name.

    cvr import webvid results_2M_val.csv -o media=webvid/videos

`name` is the caption. A folder is read as all its partitions, the CSVs or Parquet files in it and below. With `media`,
files lie where the usual downloader puts them, at page_dir/videoid.mp4; a row whose file is missing keeps an empty
path, one whose file gives no frame is dropped.

Source: Bain et al., ICCV 2021 (https://arxiv.org/abs/2104.00650). The data set was withdrawn by its authors in 2024.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.core.files import Row, check_file, id_text
from cvr_data.media.look import media_path_inside
from cvr_data.media.names import find_media_file, is_media_file
from cvr_data.videos.entries import Entry, video_tables
from cvr_data.videos.published import corpus_table_files, corpus_table_rows, unknown_corpus_count

VERSION = 4
COLUMNS = {"videoid", "contentUrl", "duration", "page_dir", "name"}
LICENCE = "WebVid terms: non-commercial research"
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")


@dataclass(frozen=True, kw_only=True)
class Config:
    path: Path = field(metadata={"output": False})
    """The CSV or Parquet file, or the folder of partitions."""
    media: Path | None = None
    """Folder with page_dir/videoid.mp4."""
    check: bool = True
    """With `media`: open every file and decode its first frame."""
    split: Literal["train", "val", "test"] | None = None
    """The split of all its videos; by default `cvr split` decides."""
    repeated: Literal["error", "captions", "drop"] = "error"
    """What rows of one videoid are: a mistake, its captions, or (all but the first) dropped."""


def inputs(config: Config) -> dict[str, Path]:
    """Return the files it reads. Raises CvrError: the file is missing, empty, or lacks a column."""
    files = corpus_table_files(config.path)
    for file in files:
        check_file(file, COLUMNS)
    return {"table" if file == config.path else file.relative_to(config.path).as_posix(): file for file in files}


count = unknown_corpus_count


def load(config: Config, out: Path | None) -> Iterator[pa.Table]:
    if config.media is not None and not config.media.is_dir():
        raise CvrError(f"{config.media}: no such folder of media.")
    entries = (_entry(config, row) for row, _ in corpus_table_rows(config.path, COLUMNS))
    yield from video_tables(entries, "webvid", config.repeated)


def webvid_duration_s(text: str) -> float | None:
    """Return the seconds of an ISO 8601 duration such as PT00H01M17S; None if it is none."""
    found = _DURATION.fullmatch(text)
    if not found or not any(found.groups()):
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def _entry(config: Config, row: Row) -> Entry:
    values = row.values
    entry = Entry(
        video_id=id_text(values.get("videoid")) or "",
        captions=[values["name"]] if values.get("name") else [],
        values={
            "url": values.get("contentUrl"),
            "duration_s": webvid_duration_s(values.get("duration") or ""),
            "licence": LICENCE,
            "split": config.split,
        },
        drop_reason=row.drop_reason,
        detail=row.detail,
    )
    if not entry.video_id:
        entry.drop("no_id", f"{row.where}: no videoid")
    if not entry.captions:
        entry.drop("no_caption", f"{row.where}: no name")
    if config.media is not None:
        path = media_path_inside(config.media, f"{values.get('page_dir') or '.'}/{entry.video_id}.mp4")
        path = find_media_file(path)
        entry.path = path if is_media_file(path) else None
    return entry

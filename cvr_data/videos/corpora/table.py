"""Any CSV, TSV, JSONL or Parquet file with a caption column.

    cvr import table captions.tsv -o id=clip -o caption=sentence
    cvr import table msrvtt.csv -o id=video_id -o caption=sentence -o repeated=captions -o video=file -o media=clips/

A row that cannot be used (no caption, not UTF-8, a media file that gives no frame) is dropped with its reason.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from cvr_data.core.files import Row, check_file, column_names, read_rows
from cvr_data.core.places import is_remote, path_from
from cvr_data.media.look import media_path_inside
from cvr_data.media.names import find_media_file
from cvr_data.videos.entries import Entry, video_tables
from cvr_data.videos.published import corpus_entry_of_row, corpus_seconds, unknown_corpus_count

logger = logging.getLogger(__name__)
VERSION = 3
TINY = {"path": "table/captions.csv", "duration": "seconds", "split": "part"}


@dataclass(frozen=True, kw_only=True)
class Config:
    path: Path = field(metadata={"output": False})
    """The file; its suffix says how it is read."""
    id: str = "video_id"
    """Column of the video's id."""
    caption: str = "caption"
    """Column of the caption; in JSONL and Parquet it may hold a list of captions."""
    description: str | None = None
    """Column of a longer description."""
    url: str | None = None
    """Column of the address."""
    duration: str | None = None
    """Column of the duration in seconds."""
    start: str | None = None
    """Column of the second of the media file (or of the recording at `url`) at which the video starts."""
    end: str | None = None
    """Column of the second at which it ends."""
    recording: str | None = None
    """Column of the recording that the video is a clip of."""
    split: str | None = None
    """Column of the split: train, val or test."""
    licence: str | None = None
    """Column of the licence."""
    video: str | None = None
    """Column of the media file, absolute or relative to `media`, with or without its ending."""
    media: Path | None = None
    """Folder of the media files; default: the folder of the table."""
    check: bool = True
    """Open every media file and decode its first frame."""
    repeated: Literal["error", "captions", "drop"] = "error"
    """What rows of one id are: a mistake, its captions, or (all but the first) dropped."""
    source: str = "table"
    """Name of the corpus in the `source` column."""


TEXT_COLUMNS = {
    "description": "description", "url": "url", "split": "split", "licence": "licence", "recording": "recording_id",
}  # fmt: skip
"""Field of the Config -> column of the videos table."""


def inputs(config: Config) -> dict[str, Path]:
    """Return the files it reads. Raises CvrError: the file is missing, empty, of an unknown kind, or lacks a column."""
    check_file(config.path, _columns(config))
    for name in ("split", "recording"):  # what keeps videos apart later is not left out unseen
        if getattr(config, name) is None and name in column_names(config.path):
            logger.warning("%s: its column %r is not read; -o %s=%s takes it.", config.path, name, name, name)
    return {"table": config.path}


def media(config: Config) -> tuple[Path, Iterator[str]] | None:
    """Return the folder of the media, and the names in it that rows give; None if they give none."""
    if not config.video:
        return None
    folder = config.media or config.path.parent
    rows = (row for rows in read_rows(config.path, {config.video}) for row in rows)
    names = (str(name) for row in rows if (name := row.values.get(config.video)))
    found = (find_media_file(media_path_inside(folder, name)) for name in names if "\0" not in name)
    return folder, (path_from(folder, path) if is_remote(folder) else os.path.relpath(path, folder) for path in found)


count = unknown_corpus_count


def load(config: Config, out: Path | None) -> Iterator[pa.Table]:
    named = [(column, header) for name, column in TEXT_COLUMNS.items() if (header := getattr(config, name))]
    entries = (_entry(config, named, row) for rows in read_rows(config.path, _columns(config)) for row in rows)
    yield from video_tables(entries, config.source, config.repeated)


def _columns(config: Config) -> set[str]:
    fields = ("id", "caption", "duration", "start", "end", "video", *TEXT_COLUMNS)
    return {name for name in (getattr(config, entry) for entry in fields) if name}


def _entry(config: Config, named: Sequence[tuple[str, str]], row: Row) -> Entry:
    values = {column: _text(row.values.get(header)) for column, header in named}
    entry = corpus_entry_of_row(row, config.id, config.caption, values)
    if config.duration:
        entry.values["duration_s"] = seconds = _seconds(row, config.duration, "duration", entry)
        if seconds is not None and seconds < 0:
            entry.drop("bad_duration", f"{row.where}: {config.duration} {seconds:g} is below 0")
    if config.start or config.end or config.recording:
        times = [_seconds(row, name, "times", entry) for name in (config.start, config.end)]
        entry.of_recording(entry.values.get("recording_id"), *times)
    if config.video and (name := row.values.get(config.video)) and "\0" in str(name):
        entry.drop("bad_name", f"{row.where}: {config.video} has a NUL")
    elif config.video and name:
        entry.path = find_media_file(media_path_inside(config.media or config.path.parent, str(name)))
    elif config.video:
        entry.drop("no_media", f"{row.where}: no value in column {config.video!r}")
    return entry


def _seconds(row: Row, column: str | None, what: str, entry: Entry) -> float | None:
    value = row.values.get(column) if column else None
    found = None if value is None else corpus_seconds(value)
    if value is not None and found is None:
        entry.drop(f"bad_{what}", f"{row.where}: {column} {value!r} is not a number of seconds")
    return found


def _text(value: Any) -> str | None:
    return None if value is None else str(value)

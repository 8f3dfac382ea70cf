"""A folder of videos with a captions file.

    cvr import folder clips                          # clips/captions.csv has the columns file and caption
    cvr import folder clips -o captions=clips.csv -o caption=name

The id of a video is its path inside the folder. Rows that share a file are its captions; a file that no row names, a
row whose file is missing, and a file that gives no frame are dropped with the reason. An image is a video of one frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.core.files import Row, check_file, read_rows
from cvr_data.media.look import media_files, media_path_inside
from cvr_data.media.names import find_media_file
from cvr_data.videos.entries import Entry, video_tables
from cvr_data.videos.published import corpus_entry_of_row, unknown_corpus_count

VERSION = 3


@dataclass(frozen=True, kw_only=True)
class Config:
    path: Path
    """The folder."""
    captions: Path = Path("captions.csv")
    """The captions file (CSV, TSV, JSONL or Parquet), absolute or relative to the folder."""
    file: str = "file"
    """Column of the media file, relative to the folder."""
    caption: str = "caption"
    """Column of the caption; in JSONL and Parquet it may hold a list of captions."""
    licence: str | None = None
    """Column of the licence."""
    split: str | None = None
    """Column of the split: train, val or test."""
    check: ClassVar[bool] = True
    repeated: ClassVar[str] = "captions"


def inputs(config: Config) -> dict[str, Path]:
    """Return the files it reads.

    Raises:
        CvrError: the folder or its captions file is not there, or a column of that is missing.
    """
    if not config.path.is_dir():
        raise CvrError(f"{config.path}: no such folder.")
    captions = config.path / config.captions
    if not captions.is_file():
        raise CvrError(f"{captions}: no such captions file; name it with -o captions=FILE.")
    check_file(captions, _columns(config))
    return {"captions": captions}


def media(config: Config) -> tuple[Path, list[str]]:
    return config.path, media_files(config.path)


count = unknown_corpus_count


def load(config: Config, out: Path | None) -> Iterator[pa.Table]:
    yield from video_tables(_entries(config), "folder", config.repeated)


def _columns(config: Config) -> set[str]:
    return {name for name in (config.file, config.caption, config.licence, config.split) if name}


def _entries(config: Config) -> Iterator[Entry]:
    named = set()
    for rows in read_rows(config.path / config.captions, _columns(config)):
        for row in rows:
            entry = _entry(config, row)
            named.add(entry.path.relative_to(config.path).as_posix() if entry.path else entry.video_id)
            yield entry
    for name in media_files(config.path):
        if name not in named:
            yield Entry(name, [], drop_reason="no_caption", detail=f"{name} is not in {config.captions}")


def _entry(config: Config, row: Row) -> Entry:
    named = {"licence": row.values.get(config.licence or ""), "split": row.values.get(config.split or "")}
    entry = corpus_entry_of_row(row, config.file, config.caption, named)
    if entry.video_id and "\0" in entry.video_id:
        entry.drop("bad_name", f"{row.where}: a name with a NUL")
    elif entry.video_id:
        entry.path = find_media_file(media_path_inside(config.path, entry.video_id))
        entry.video_id = Path(entry.video_id).as_posix()
    return entry

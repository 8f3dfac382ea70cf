"""Action Genome: the Charades videos that its frame_list.txt names, with Charades' captions; a source of FineCVR.

    cvr import action-genome action-genome/ -o charades=Charades/ -o media=Charades_v1_480

Action Genome annotates frames and has no captions, so those of Charades are taken; a video that Charades does not
describe is dropped. The split is the one of Charades' file.

Source: Ji et al., CVPR 2020 (https://arxiv.org/abs/1912.06992). Non-commercial use.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import checked_tables, entry_from, seconds, source_files, table_rows, tables, texts

VERSION = 1
TINY = {"path": "action-genome", "charades": "charades"}
COLUMNS = {"id", "script", "descriptions", "length"}


@dataclass(frozen=True, kw_only=True)
class Config:
    path: Path = field(metadata={"output": False})
    """frame_list.txt, or its folder."""
    charades: Path = field(metadata={"output": False})
    """Charades' CSV, or the folder of Charades_v1_train.csv and Charades_v1_test.csv."""
    media: Path | None = None
    """Folder of the media files, searched to any depth for <id>.mp4; default: captions only."""
    check: bool = True
    """Open every media file and decode its first frame."""


def inputs(config: Config) -> dict[str, Path]:
    """Return the files it reads.

    Raises:
        CvrError: a file is missing, empty, or lacks a column.
    """
    lists = {file.name: file for file in source_files(config.path, "frame_list.txt")}
    return {**checked_tables(config.charades, COLUMNS), **lists}


def count(config: Config) -> int | None:
    """Return how many rows `load` gives, where that is known without reading."""
    return None


def load(config: Config, out: Path | None) -> Iterator[pa.Table]:
    """Yield the videos in slices.

    Raises:
        CvrError: the list names no frame of a video.
    """
    yield from tables(_entries(config), "action-genome", where=config.path, media=config.media, check=config.check)


def _entries(config: Config) -> Iterator[Entry]:
    wanted: dict[str, None] = {}
    for path in source_files(config.path, "frame_list.txt"):
        lines = path.read_text(encoding="utf-8", errors="replace").split()
        wanted |= dict.fromkeys(line.partition(".mp4/")[0] for line in lines if ".mp4/" in line)
    if not wanted:
        raise CvrError(f"{config.path}: no line such as 001YG.mp4/000089.png.")
    for entry in _charades(config.charades):
        if entry.video_id in wanted:
            del wanted[entry.video_id]
            yield entry
    for video_id in wanted:
        yield Entry(video_id, [], drop_reason="no_caption", detail=f"{video_id} is not in {config.charades}")


def _charades(path: Path) -> Iterator[Entry]:
    for row, file in table_rows(path, COLUMNS):
        entry = entry_from(row, "id", texts(str(row.values.get("descriptions") or "").split(";")), file)
        entry.values["description"] = row.values.get("script")
        entry.values["duration_s"] = seconds(row.values.get("length"))
        yield entry

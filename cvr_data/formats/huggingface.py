"""HuggingFace `DatasetDict` with `Video` columns, saved so that `datasets.load_from_disk` opens it.

Each row has `reference_video` and `target_video` beside our columns; `datasets` copies a video's bytes into every row
that uses it, so the folder can be moved. By default they are stored undecoded: a row holds `{"path": …, "bytes": …}`
and needs no decoder, and `cast_column("target_video", Video())` decodes with torchcodec.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa

from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.progress import Progress
from cvr_data.formats._rows import (
    STORED_VIDEO,
    concat_format_tables,
    file_rows_by_split,
    format_video_values,
    refuse_clips_in_format,
)
from cvr_data.media.video import UnreadableVideo, probe_medium
from cvr_data.tables import SPLITS, TRIPLETS

if TYPE_CHECKING:
    from datasets import DatasetDict, Features

VIDEO_COLUMNS = {"reference_video": "reference_id", "target_video": "target_id"}


@dataclass(frozen=True, kw_only=True)
class Config:
    embed: bool = True
    """Copy the bytes of the videos into the rows; false leaves the video columns empty, and the folder small."""
    decode: bool = False
    """Let `datasets` decode a video when its row is read, which needs torchcodec."""


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write `out` as `DatasetDict.save_to_disk` does and return [out].

    `videos` gives the media: its `path` column, absolute; a video without one, or whose file shows no picture, is None.

    Raises:
        CvrError: a video to copy is a clip of a longer file.
    """
    huggingface_format_dataset(config, triplets, videos).save_to_disk(str(out))
    return [out]


def read(config: Config, path: Path) -> pa.Table:
    """Return the triplets of a saved DatasetDict, without its videos, in the order train, val, test."""
    from datasets import load_from_disk

    if not (path / "dataset_dict.json").is_file():
        raise CvrError(f"{path} holds no saved DatasetDict (no dataset_dict.json).")
    splits = load_from_disk(str(path))
    tables = []
    for split in [split for split in SPLITS if split in splits]:
        table = splits[split].with_format("arrow")[:].drop_columns(list(VIDEO_COLUMNS)).replace_schema_metadata(None)
        tables.append(check_columns(table, TRIPLETS, f"{path}/{split}"))
    return concat_format_tables(tables)


def huggingface_format_dataset(config: Config, triplets: pa.Table, videos: pa.Table | None = None) -> "DatasetDict":
    """Return one Dataset per split that has rows, with `reference_video` and `target_video` columns."""
    from datasets import Dataset, DatasetDict

    files: dict[str, Path] = {}
    if config.embed:
        ids = [video_id for name in VIDEO_COLUMNS.values() for video_id in triplets.column(name).to_pylist()]
        files = format_media_of_videos(videos, ids, "huggingface", "-o embed=false")
    media = {video_id: {"path": str(path), "bytes": None} for video_id, path in files.items()}
    table = huggingface_format_videos(triplets, media)
    features = huggingface_format_features(table.schema, decode=config.decode)
    return DatasetDict({split: Dataset(rows.cast(features.arrow_schema)) for split, rows in file_rows_by_split(table)})


def huggingface_format_videos(triplets: pa.Table, media: dict[str, dict[str, Any]]) -> pa.Table:
    """Return the triplets with the two video columns after the others; `media` is id -> {"path", "bytes"}."""
    table = triplets
    for name, id_column in VIDEO_COLUMNS.items():
        stored = [media.get(video_id) for video_id in triplets.column(id_column).to_pylist()]
        table = table.append_column(name, pa.array(stored, STORED_VIDEO))
    return table


def huggingface_format_features(schema: pa.Schema, *, decode: bool) -> "Features":
    """Return the `datasets` features of a table made by `huggingface_format_videos`."""
    from datasets import Features, Video

    plain = pa.schema([field for field in schema if field.name not in VIDEO_COLUMNS])
    features = Features.from_arrow_schema(plain)
    return Features({**features, **{name: Video(decode=decode) for name in VIDEO_COLUMNS}})


def format_media_of_videos(
    videos: pa.Table | None, video_ids: Iterable[str], name: str, option: str
) -> dict[str, Path]:
    """Return video id -> file of the videos that have one which shows a picture; the others are told on stderr.

    Args:
        videos: with absolute paths.
        video_ids: of the rows.
        name: of the layout.
        option: that leaves all media out.

    Raises:
        CvrError: a video is a clip of a longer file.
    """
    wanted = list(dict.fromkeys(video_ids))
    refuse_clips_in_format(videos, wanted, name, option)
    paths = {video_id: Path(path) for video_id, path in format_video_values(videos, "path").items()}
    found = {video_id: paths[video_id] for video_id in wanted if video_id in paths and paths[video_id].is_file()}
    broken = _without_picture(found)
    missing = [video_id for video_id in wanted if video_id not in found]
    for left_out, what in ((missing, "have no file"), (broken, "have a file that shows no picture")):
        if left_out:
            told = f"{name}: {len(left_out)} videos {what}, so their rows hold none: {first_few(left_out)}."
            click.echo(told, err=True)
    return {video_id: path for video_id, path in found.items() if video_id not in broken}


def _without_picture(files: dict[str, Path]) -> list[str]:
    broken = []
    with Progress("look at media", len(files), "files") as progress:
        for video_id, path in files.items():
            try:
                probe_medium(path)
            except UnreadableVideo:
                broken.append(video_id)
            progress.advance(1)
    return broken

"""Where the media of a videos table lie."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.places import is_remote, path_from, place_of
from cvr_data.media.clip import Clip
from cvr_data.media.video import Video
from cvr_data.tables import VIDEOS

TIMES = ("start_s", "end_s")


def resolve_media(artifact_path: Path, path: str) -> Path:
    """Return the media file of a row: its `path` as it is, or inside the videos artifact when relative."""
    return place_of(path) if _is_whole(path) else place_of(artifact_path) / path


def whole_path(home: Path, path: str) -> str:
    """Return the media file of a row of an artifact, named so that it is found from everywhere."""
    found = resolve_media(home, path)
    return str(found.resolve()) if is_remote(found) else os.path.normpath(found)


def videos_of(videos: pa.Table, folder: Path) -> list[Video]:
    """Return the videos of a videos table, in its order, with their clips; relative paths are below `folder`."""
    names = ("video_id", "path", "start_s", "end_s")
    rows = zip(*(videos.column(name).to_pylist() for name in names), strict=True)
    return [
        Video(video_id, resolve_media(folder, path) if path else None, start_s=start_s, end_s=end_s)
        for video_id, path, start_s, end_s in rows
    ]


def clips_of(videos: pa.Table, folder: Path) -> dict[str, Clip]:
    """Return video_id -> clip, of the videos of a table that have a file."""
    return {video.video_id: video.clip for video in videos_of(videos, folder) if video.path is not None}


def ids_of_clips(videos: pa.Table) -> set[str]:
    """Return the ids of the videos that are clips of longer files."""
    given = [videos.filter(pc.is_valid(videos.column(name))) for name in TIMES if name in videos.column_names]
    return {video_id for rows in given for video_id in rows.column("video_id").to_pylist()}


def read_files(videos: Path) -> dict[str, Video]:
    """Return video_id -> video with its clip, without a path where the videos artifact names none."""
    artifact = open_artifact(videos)
    return {video.video_id: video for video in videos_of(check_columns(artifact.read(), VIDEOS, str(videos)), videos)}


def moved_media(table: pa.Table, videos: Path, out: Path) -> pa.Table:
    """Return the table with its relative paths made relative to the folder it is written to."""
    home, folder = videos.resolve(), out.resolve()
    paths = [
        path if path is None or _is_whole(path) else path_from(folder, home / path)
        for path in table.column("path").to_pylist()
    ]
    return with_column(table, VIDEOS.field("path"), paths)


def _is_whole(path: str) -> bool:
    named = place_of(path)
    return is_remote(named) or named.is_absolute()

"""Where the media of a videos table lie."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.parts import column_names
from cvr_data.core.places import is_remote, path_from, path_or_address
from cvr_data.core.whole_files import read_parquet
from cvr_data.media.clip import Clip
from cvr_data.media.names import media_exists
from cvr_data.media.video import Video
from cvr_data.tables import VIDEOS

TIMES = ("start_s", "end_s")
MISSING = "missing_media"
"""Entry of manifests: how many files the videos named that were not there."""


def resolve_media(artifact_path: Path, path: str) -> Path:
    """Return the media file of a row: its `path` as it is, or inside the videos artifact when relative."""
    return path_or_address(path) if _is_whole(path) else path_or_address(artifact_path) / path


def whole_media_path(home: Path, path: str) -> str:
    """Return the media file of a row of an artifact, named so that it is found from everywhere."""
    found = resolve_media(home, path)
    return str(found.resolve()) if is_remote(found) else os.path.normpath(found)


def media_clips_of_videos(videos: pa.Table, folder: Path) -> list[Video]:
    """Return the videos of a videos table, in its order, with their clips; relative paths are below `folder`."""
    names = ("video_id", "path", "start_s", "end_s")
    rows = zip(*(videos.column(name).to_pylist() for name in names), strict=True)
    return [
        Video(video_id, resolve_media(folder, path) if path else None, start_s=start_s, end_s=end_s)
        for video_id, path, start_s, end_s in rows
    ]


def clips_of(videos: pa.Table, folder: Path) -> dict[str, Clip]:
    """Return video_id -> clip, of the videos of a table that have a file."""
    return {video.video_id: video.clip for video in media_clips_of_videos(videos, folder) if video.path is not None}


def ids_of_media_clips(videos: pa.Table) -> set[str]:
    """Return the ids of the videos that are clips of longer files."""
    given = [videos.filter(pc.is_valid(videos.column(name))) for name in TIMES if name in videos.column_names]
    return {video_id for rows in given for video_id in rows.column("video_id").to_pylist()}


def read_media_clips(videos: Path) -> dict[str, Video]:
    """Return video_id -> video with its clip, without a path where the videos artifact names none."""
    artifact = open_artifact(videos)
    return {
        video.video_id: video
        for video in media_clips_of_videos(check_columns(artifact.read(), VIDEOS, str(videos)), videos)
    }


def refuse_arrived_media(done: Artifact, videos: Path) -> Artifact:
    """Return a finished artifact, unless media are there by now that were missing then (`missing_media_record`).

    Raises:
        CvrError: some are.
    """
    before = done.manifest.get(MISSING, 0)
    if before and (now := count_missing_media(videos)) < before:
        raise CvrError(
            f"{done.path} was made when {before} media of {videos} were missing, of which {before - now} are there "
            "now; use --overwrite or another --out."
        )
    return done


def missing_media_record(videos: Path) -> dict[str, int]:
    """Return what the manifest of a stage that opens media says of those that are missing."""
    missing = count_missing_media(videos)
    return {MISSING: missing} if missing else {}


def count_missing_media(videos: Path) -> int:
    """Return how many rows of a videos artifact name a file that is not there; of another source, none."""
    if not videos.is_dir():
        return 0
    parts = [path for path in open_artifact(videos).part_paths if "path" in column_names(path)]
    named = (name for part in parts for name in read_parquet(part, ["path"]).column("path").to_pylist() if name)
    return sum(not media_exists(resolve_media(videos, name)) for name in named)


def moved_media(table: pa.Table, videos: Path, out: Path) -> pa.Table:
    """Return the table with its relative paths made relative to the folder it is written to."""
    home, folder = videos.resolve(), out.resolve()
    paths = [
        path if path is None or _is_whole(path) else path_from(folder, home / path)
        for path in table.column("path").to_pylist()
    ]
    return with_column(table, VIDEOS.field("path"), paths)


def _is_whole(path: str) -> bool:
    named = path_or_address(path)
    return is_remote(named) or named.is_absolute()

"""Where the media of a videos table lie."""

import os
from pathlib import Path

import pyarrow as pa

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import with_column
from cvr_data.media.video import Video
from cvr_data.tables import VIDEOS


def resolve_media(artifact_path: Path, path: str) -> Path:
    """Return the media file of a row: its `path` as it is, or inside the videos artifact when relative."""
    return Path(artifact_path) / path


def read_files(videos: Path) -> dict[str, Video]:
    """Return video_id -> video with its media file, None where the videos artifact names none."""
    artifact = open_artifact(videos)
    rows = artifact.read(["video_id", "path"]).to_pylist()
    files = {row["video_id"]: resolve_media(artifact.path, row["path"]) if row["path"] else None for row in rows}
    return {video_id: Video(video_id, path) for video_id, path in files.items()}


def moved_media(table: pa.Table, videos: Path, out: Path) -> pa.Table:
    """Return the table with its relative paths made relative to the folder it is written to."""
    base = os.path.relpath(videos.resolve(), out.resolve())
    paths = [
        path if path is None or Path(path).is_absolute() else Path(os.path.normpath(Path(base) / path)).as_posix()
        for path in table.column("path").to_pylist()
    ]
    return with_column(table, VIDEOS.field("path"), paths)

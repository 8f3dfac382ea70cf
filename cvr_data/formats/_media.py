"""The files of videos whose bytes a layout puts into its rows."""

from collections.abc import Iterable
from pathlib import Path

import click
import pyarrow as pa

from cvr_data.core.errors import first_few
from cvr_data.core.progress import Progress
from cvr_data.formats._rows import refuse_clips_in_format, video_values_for_file
from cvr_data.media.video import UnreadableVideo, probe


def media_for_rows(videos: pa.Table | None, video_ids: Iterable[str], name: str, option: str) -> dict[str, Path]:
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
    paths = {video_id: Path(path) for video_id, path in video_values_for_file(videos, "path").items()}
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
                probe(path)
            except UnreadableVideo:
                broken.append(video_id)
            progress.advance(1)
    return broken

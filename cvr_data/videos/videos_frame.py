"""Captioned videos as people hold them in notebooks: one caption a cell, or a list of them."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from cvr_data.core.artifacts import Artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.frames import Frame, frame_of
from cvr_data.media.places import whole_path
from cvr_data.tables import VIDEOS

if TYPE_CHECKING:
    from pandas import DataFrame

SOURCE = "frame"


def with_caption_lists(videos: Frame) -> Frame:
    """Return a table of videos whose captions are lists and whose source is named; a folder is returned as it is.

    A column `caption` is that of the captions where there is no other.
    """
    if isinstance(videos, (str, Path)):
        return videos
    frame = videos.to_pandas() if isinstance(videos, pa.Table) else videos
    if "captions" not in frame.columns and "caption" in frame.columns:
        frame = frame.rename(columns={"caption": "captions"})
    if "captions" in frame.columns and frame["captions"].map(lambda value: isinstance(value, str)).any():
        lists = frame["captions"].map(lambda value: [value] if isinstance(value, str) else value)
        frame = frame.assign(captions=lists)
    return frame if "source" in frame.columns else frame.assign(source=SOURCE)


def videos_frame(artifact: Artifact) -> "DataFrame":
    """Return the videos of an artifact as a frame, with paths that hold wherever it goes."""
    table = check_columns(artifact.read(), VIDEOS, str(artifact.path))
    home = artifact.path.resolve()
    paths = [None if path is None else whole_path(home, path) for path in table.column("path").to_pylist()]
    return frame_of(artifact, with_column(table, VIDEOS.field("path"), paths))

"""Captioned videos as people hold them in notebooks: one caption a cell, or a list of them."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from cvr_data.core.artifacts import Artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.files import id_text
from cvr_data.core.frames import Frame, artifact_dataframe, frame_given
from cvr_data.core.split_names import SPLIT_OF_WORD
from cvr_data.media.places import whole_media_path
from cvr_data.tables import SPLITS, VIDEOS

if TYPE_CHECKING:
    from pandas import DataFrame

SOURCE = "frame"


def videos_with_caption_lists(videos: Frame) -> Frame:
    """Return a table of videos whose captions are lists and whose source is named; a folder is returned as it is.

    A column `caption` is that of the captions where there is no other.

    Raises:
        CvrError: an id is none or comes twice, or a split is none.
    """
    if isinstance(videos, (str, Path)):
        return videos
    given = frame_given(videos)
    frame = given.to_pandas() if isinstance(given, pa.Table) else given
    if "captions" not in frame.columns and "caption" in frame.columns:
        frame = frame.rename(columns={"caption": "captions"})
    if "captions" in frame.columns and frame["captions"].map(lambda value: isinstance(value, str)).any():
        lists = frame["captions"].astype(object).map(lambda value: [value] if isinstance(value, str) else value)
        frame = frame.assign(captions=lists)
    frame = _with_splits(_with_ids(frame))
    return frame if "source" in frame.columns else frame.assign(source=SOURCE)


def _with_ids(frame: "DataFrame") -> "DataFrame":
    """The frame with ids that are texts, each once."""
    if "video_id" not in frame.columns:
        return frame
    given = frame["video_id"]
    is_id = given.notna()
    texts = given.where(~is_id, [id_text(value) for value in given.tolist()])
    if bad := given[is_id & texts.isna()].tolist():
        raise CvrError(f"the table: {first_few(map(repr, bad))} in column 'video_id' is no id.")
    if twice := texts[is_id & texts.duplicated()].unique().tolist():
        raise CvrError(f"the table: ids come more than once: {first_few(twice)}. A list holds the captions of a video.")
    return frame if texts.equals(given) else frame.assign(video_id=texts)


def _with_splits(frame: "DataFrame") -> "DataFrame":
    """The frame with the splits that are meant."""
    if "split" not in frame.columns:
        return frame
    given = frame["split"]
    meant = given.map(lambda split: SPLIT_OF_WORD.get(str(split).strip().lower()), na_action="ignore")
    if bad := given[given.notna() & meant.isna()].unique().tolist():
        raise CvrError(f"the table: the split {bad[0]!r} is none of {', '.join(SPLITS)}.")
    return frame if meant.equals(given) else frame.assign(split=meant)


def videos_frame(artifact: Artifact) -> "DataFrame":
    """Return the videos of an artifact as a frame, with paths that hold wherever it goes."""
    table = check_columns(artifact.read(), VIDEOS, str(artifact.path))
    home = artifact.path.resolve()
    paths = [None if path is None else whole_media_path(home, path) for path in table.column("path").to_pylist()]
    return artifact_dataframe(artifact, with_column(table, VIDEOS.field("path"), paths))

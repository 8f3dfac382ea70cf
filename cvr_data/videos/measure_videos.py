"""Measures clips for the filters of videos: each is decoded once, and has a column for whatever a filter goes by.

The artifact is the videos again with these columns; filters look at them alone, so that bounds are changed without
decoding anything again.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns, mark, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import Step
from cvr_data.media.places import media_clips_of_videos, missing_media_record, moved_media, refuse_arrived_media
from cvr_data.media.video import DECODING, UnreadableVideo, Video
from cvr_data.tables import VIDEOS
from cvr_data.videos import seen
from cvr_data.videos.filters import VIDEO_FILTERS, Measures, NeedsExtra

STAGE = "measure-videos"
VERSION = 1
ROWS = 256
"""Clips of a part: what a kill costs at most."""
THREADS = 4


def video_filters_that_measure(chosen: Sequence[str]) -> list[str]:
    """Return the filters whose measures are taken: all of ours, and of others those that are chosen.

    Raises:
        CvrError: one needs a library that is not installed.
    """
    modules = {name: VIDEO_FILTERS.get(name) for name in sorted({*VIDEO_FILTERS.names(), *chosen})}
    for name in chosen:
        if isinstance(module := modules[name], NeedsExtra):
            module.require()
    return [
        name
        for name, module in modules.items()
        if isinstance(module, Measures) and (name in chosen or not isinstance(module, NeedsExtra))
    ]


def measures_folder(videos: Path, names: Sequence[str]) -> Path:
    """Return where the measures of videos lie unless a folder is named: beside them, told apart by extras."""
    usual = video_filters_that_measure([])
    further = [name.replace(".", "-") for name in names if name not in usual]
    return videos.with_name("-".join([videos.name, "measures", *further]))


def measure_videos(videos: Path, filters: Sequence[str], out: Path, *, overwrite: bool = False) -> Artifact:
    """Return the artifact of videos with the columns of these filters; resumes.

    With `overwrite` it takes the place of another one; one that is as it would be made stays.

    A clip that cannot be decoded is dropped; one without a file has no values.

    Raises:
        CvrError: not a videos table, or `out` holds something else.
    """
    taken = {name: vars(VIDEO_FILTERS.get(name))["MEASURED"] for name in filters}
    config = {"measures": taken, "frames": seen.VERSION, "decoding": DECODING}
    inputs = {"videos": videos}
    asked = partial(StageRun, out, stage=STAGE, version=VERSION, config=config, inputs=inputs)
    if (done := asked(overwrite=False).finished()) is not None:
        with suppress(CvrError) if overwrite else nullcontext():
            return refuse_arrived_media(done, videos)
    run = asked(overwrite=overwrite)
    with run:
        required = [field.name for field in VIDEOS if not field.nullable]
        flow = run.read(videos, required=required, part_rows=ROWS)
        flow = flow.then(Step(name=STAGE, run=_measured, config=_about(videos, run.out, filters)))
        run.write_parts(flow, total=open_artifact(videos).manifest["rows"], unit="videos")
        return run.finish(**missing_media_record(videos))


@dataclass(frozen=True)
class _Measured:
    videos: Path
    out: Path
    measures: tuple[Callable[[seen.Seen], Mapping[str, Any]], ...]
    fields: tuple[pa.Field, ...]
    side: int


def _about(videos: Path, out: Path, filters: Sequence[str]) -> _Measured:
    modules = [module for name in filters if isinstance(module := VIDEO_FILTERS.get(name), Measures)]
    side = max([seen.SIDE, *(module.SIDE for module in modules if isinstance(module, NeedsExtra))])
    fields = tuple(field for module in modules for field in module.FIELDS)
    return _Measured(videos, out, tuple(module.measure for module in modules), fields, side)


def _measured(about: _Measured, part: pa.Table) -> pa.Table:
    table = moved_media(check_columns(part, VIDEOS, str(about.videos)), about.videos, about.out)
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(partial(_values, about), media_clips_of_videos(table, about.out)))
    for field in about.fields:
        table = with_column(table, field, [None if row is None else row.get(field.name) for row in found])
    return mark(table, pa.array([row is None for row in found], pa.bool_()), "unreadable_video")


def _values(about: _Measured, video: Video) -> dict[str, Any] | None:
    """Return the values of a clip: none without a file; None where it cannot be decoded."""
    if video.path is None:
        return {}
    try:
        clip = seen.see_video(video.clip, about.side)
    except UnreadableVideo:
        return None
    return {name: value for measure in about.measures for name, value in measure(clip).items()}

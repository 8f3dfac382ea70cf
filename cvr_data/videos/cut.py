"""Writes the clips of a videos artifact to files of their own, for tools that know no times."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns, mark, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.places import is_remote
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import Step
from cvr_data.core.whole_files import file_sha256
from cvr_data.download.items import download_file_name
from cvr_data.media.clip import Clip
from cvr_data.media.places import missing_media_record, moved_media, refuse_arrived_media, resolve_media
from cvr_data.media.video import UnreadableVideo, cut_video
from cvr_data.tables import VIDEOS

STAGE = "cut"
VERSION = 2
ROWS = 64
"""Clips of a part: what a kill costs at most."""
THREADS = 4
FOLDER = "clips"


def cut_videos(videos: Path, out: Path, *, overwrite: bool = False) -> Artifact:
    """Write each clip of a longer file as `clips/ID.mp4` and the videos that lead to these; resumes.

    A video that is all of its file stays where it is. The times of a clip go on as those of its recording; its content
    is another one now, for it was encoded anew. A clip that cannot be decoded is dropped.

    Raises:
        CvrError: not a videos table, `out` is no folder of this machine, or it holds something else.
    """
    if is_remote(out):
        raise CvrError(f"{out}: clips are written to a folder of this machine.")
    run = StageRun(out, stage=STAGE, version=VERSION, config={}, inputs={"videos": videos}, overwrite=overwrite)
    if (done := run.finished()) is not None:
        return refuse_arrived_media(done, videos)
    with run:
        required = [field.name for field in VIDEOS if not field.nullable]
        flow = run.read(videos, required=required, part_rows=ROWS)
        flow = flow.then(Step(name=STAGE, run=_cut, config=(videos, run.out)))
        run.write_parts(flow, total=open_artifact(videos).manifest["rows"], unit="videos")
        return run.finish(**missing_media_record(videos))


def _cut(config: tuple[Path, Path], part: pa.Table) -> pa.Table:
    videos, out = config
    part = moved_media(check_columns(part, VIDEOS, str(videos)), videos, out)
    rows = part.to_pylist()
    with ThreadPoolExecutor(THREADS) as pool:
        failed = list(pool.map(lambda row: _cut_row(row, out), rows))
    for name in ("path", "start_s", "end_s", "recording_id", "recording_start_s", "recording_end_s", "content_sha256"):
        part = with_column(part, VIDEOS.field(name), [row[name] for row in rows])
    return mark(part, pa.array(failed, pa.bool_()), "unreadable_video")


def _cut_row(row: dict[str, Any], out: Path) -> bool:
    """Cut the clip of a row, which then leads to its file; return whether that failed."""
    clip = Clip(Path(), row["start_s"], row["end_s"])
    if row["path"] is None or clip.is_whole:
        return False
    # a/b and a_b, x and x.mp4 are two clips each
    name = f"{FOLDER}/{download_file_name(row['video_id'] + '.mp4', '.mp4')}"
    file = out / name
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            cut_video(Clip(resolve_media(out, row["path"]), row["start_s"], row["end_s"]), file)
        except UnreadableVideo:
            return True
    row["recording_id"] = row["recording_id"] or row["path"]
    row |= {"path": name, "content_sha256": file_sha256(file), "start_s": None, "end_s": None}
    row |= {"recording_start_s": clip.start_s, "recording_end_s": clip.end_s}
    return False

"""Brings videos tables together, such as those of two folders: every row of each, in the order they are named."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.lineage import numbered_inputs
from cvr_data.core.parts import hash_bucket_keys
from cvr_data.core.whole_files import read_parquet
from cvr_data.media.places import moved_media
from cvr_data.tables import VIDEOS

STAGE = "import-merged"
VERSION = 1


def merge_videos(folders: Sequence[Path], out: Path, *, overwrite: bool = False) -> Artifact:
    """Return the artifact with the videos of all folders; files stay where they are.

    Raises:
        CvrError: a folder holds no videos, or two of them hold videos of one id.
    """
    tables = [open_artifact(folder) for folder in folders]
    inputs = numbered_inputs("videos", folders)
    writer = ArtifactWriter(out, stage=STAGE, version=VERSION, inputs=inputs, overwrite=overwrite)
    if (done := writer.finished()) is not None:
        return done
    _refuse_shared_ids(tables)
    with writer:
        parts = ((table, part) for table in tables for part in table.part_paths)
        for number, (table, part) in enumerate(parts):
            rows = check_columns(read_parquet(part), VIDEOS, str(table.path)).select(VIDEOS.names)
            writer.write_part(number, moved_media(rows, table.path, writer.out))
        return writer.finish()


def _refuse_shared_ids(tables: Sequence[Artifact]) -> None:
    seen = np.empty(0, np.uint64)
    for table in tables:
        ids = table.read(["video_id"]).column(0)
        keys = hash_bucket_keys(ids)
        if (shared := np.isin(keys, seen)).any():
            raise CvrError(
                f"{table.path} has ids that a table before it has: {first_few(ids.filter(shared).to_pylist())}; give "
                "the videos of one of them other ids."
            )
        seen = np.concatenate([seen, keys])

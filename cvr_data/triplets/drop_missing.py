"""Writes a dataset again without the triplets whose videos are gone, and what it covers of the one before.

A dropped row is kept beside the others with `reference_gone` or `target_gone`. Videos that may come back stay.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact
from cvr_data.core.columns import check_columns, mark
from cvr_data.core.command_line import running_command
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import input_paths, lineage
from cvr_data.core.parts import artifact_bucket_table, hash_bucket_keys
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import ByColumn, KeyedStep, Side, Step
from cvr_data.core.versions import installed_versions
from cvr_data.core.whole_files import read_parquet
from cvr_data.media.check_media import media_check_file
from cvr_data.tables import TRIPLETS
from cvr_data.triplets.build import MadeOf, write_dataset
from cvr_data.triplets.card import card_commands
from cvr_data.triplets.counted import count_triplets
from cvr_data.triplets.dataset import Dataset, dataset_funnel

STAGE = "drop-missing"
VERSION = 1
CARRIED = ("videos", "embeddings")
"""Inputs of the dataset that this one leads to as well."""
LOST = ("gone", "absent")
"""Statuses of videos that cannot be had."""


def drop_missing_triplets(dataset: Dataset, check: Path, out: Path, *, overwrite: bool = False) -> Artifact:
    """Write the dataset without triplets of videos that the check found gone, and return its artifact.

    Raises:
        CvrError: videos of the dataset were not checked, or no triplet is left.
    """
    media, source = media_check_file(check), dataset.artifact
    name = str(source.manifest.get("name") or source.path.resolve().name)
    run = StageRun(
        out, stage=STAGE, version=VERSION, config={"name": name},
        inputs={"triplets": source.path, "media": media, **input_paths(source, *CARRIED)}, overwrite=overwrite,
    )  # fmt: skip
    if (done := run.finished()) is not None:
        return done
    artifacts = lineage([source.path])
    made_of = MadeOf(
        lineage=artifacts, versions=installed_versions(), commands=[*card_commands(artifacts), running_command()],
        funnel=dataset_funnel(source, artifacts),
    )  # fmt: skip
    read = run.read(source.path)
    with run:
        triplets = read.then(Step(name="read", run=_read, config=str(source.path), is_counted=False))
        statuses = _statuses(run, triplets, run.read_files([media.resolve()], where=media))
        numbers, _ = count_triplets(run, triplets, ())
        left = triplets.then(Step(name=STAGE, run=_without_lost, sides=(Side(_lost, (str(media),)),)))
        return write_dataset(
            run, left, name, videos=dataset.video_folders, made_of=made_of, sort_by=(),
            coverage_of=partial(_coverage, numbers, statuses),
        )  # fmt: skip


def _without_lost(config: Any, triplets: pa.Table, lost: np.ndarray) -> pa.Table:
    """Return the triplets with a `drop_reason` where a video is gone; `lost` are the hashes of those that are."""
    for end in ("reference", "target"):
        is_lost = np.isin(hash_bucket_keys(triplets.column(f"{end}_id")), lost)
        triplets = mark(triplets, pa.array(is_lost), f"{end}_gone")
    return triplets


def _coverage(before: Mapping[str, Any], statuses: pa.Table, after: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many videos are there, and how many triplets and queries of each split are left."""
    nothing = {"triplets": 0, "queries": 0}
    splits = {
        split: {name: [found[name], after["splits"].get(split, nothing)[name]] for name in nothing}
        for split, found in sorted(before["splits"].items())
    }
    counts = statuses.group_by("status").aggregate([("videos", "sum")]).sort_by("status").to_pylist()
    return {
        "videos": pc.sum(statuses.column("videos")).as_py(),
        "statuses": {entry["status"]: entry["videos_sum"] for entry in counts},
        "splits": splits,
        "checked_s": [pc.min(statuses.column("first_s")).as_py(), pc.max(statuses.column("last_s")).as_py()],
    }


def _statuses(run: StageRun, triplets: Flow, media: Flow) -> pa.Table:
    """Return how many of the used videos have each status, and when the first and last of them were looked at.

    Raises:
        CvrError: some of them were not checked.
    """
    used = triplets.then(Step(name="used videos", run=_used, makes_rows=True, is_counted=False))
    met = KeyedStep(name="statuses", run=_met, key=ByColumn("video_id"), makes_rows=True, is_counted=False)
    found = artifact_bucket_table(*run.side(run.meet([media, used], met), artifact_bucket_table).arguments)
    unchecked = found.filter(pc.is_null(found.column("status")))
    if unchecked.num_rows:
        run.writer.discard()
        raise CvrError(
            f"{pc.sum(unchecked.column('videos')).as_py()} videos of the triplets were not checked, such as "
            f"{pc.min(unchecked.column('such_as')).as_py()}; run cvr check-media on these triplets."
        )
    return found


def _read(folder: str, part: pa.Table) -> pa.Table:
    return check_columns(part, TRIPLETS, folder)


def _lost(media: str) -> np.ndarray:
    table = read_parquet(Path(media), ["video_id", "status"])
    return hash_bucket_keys(table.filter(pc.is_in(table.column("status"), pa.array(LOST))).column("video_id"))


def _used(config: Any, triplets: pa.Table) -> pa.Table:
    ends = [triplets.column(f"{end}_id").combine_chunks() for end in ("reference", "target")]
    return pa.table({"video_id": pc.unique(pa.concat_arrays(ends))})


def _met(config: Any, rows: pa.Table) -> pa.Table:
    """Return a row for each status of used videos, of None too."""
    is_media = pc.is_valid(rows.column("status"))
    media = rows.filter(is_media)
    used = pc.unique(rows.filter(pc.invert(is_media)).column("video_id"))
    found = media.take(pc.index_in(used, media.column("video_id").combine_chunks()))
    table = pa.table({"status": found.column("status"), "time": found.column("checked_s"), "video_id": used})
    asked = [("video_id", "count"), ("time", "min"), ("time", "max"), ("video_id", "min")]
    return table.group_by("status").aggregate(asked).rename_columns(
        ["status", "videos", "first_s", "last_s", "such_as"]
    )  # fmt: skip

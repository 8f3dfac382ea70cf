"""Writes a dataset again without the triplets whose videos are gone, and what it covers of the one before.

A dropped row is kept beside the others with `reference_gone` or `target_gone`. Videos that may come back stay.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, ArtifactWriter
from cvr_data.core.command_line import running_command
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import FunnelStep, funnel_of, input_paths, lineage
from cvr_data.core.stages import count_reasons, split_dropped
from cvr_data.core.versions import installed_versions
from cvr_data.media.check_media import MEDIA, read_media
from cvr_data.triplets.build import MadeOf, write_dataset
from cvr_data.triplets.card import commands_of
from cvr_data.triplets.dataset import Dataset, used_videos

STAGE = "drop-missing"
VERSION = 1
CARRIED = ("videos", "embeddings")
"""Inputs of the dataset that this one leads to as well."""
LOST = ("gone", "absent")
"""Statuses of videos that cannot be had."""


def drop_missing(dataset: Dataset, check: Path, out: Path, *, overwrite: bool = False) -> Artifact:
    """Write the dataset without triplets of videos that the check found gone, and return its artifact.

    Raises:
        CvrError: videos of the dataset were not checked, or no triplet is left.
    """
    media, source = read_media(check), dataset.artifact
    name = str(source.manifest.get("name") or source.path.resolve().name)
    writer = ArtifactWriter(
        out, stage=STAGE, version=VERSION, config={"name": name},
        inputs={"triplets": source.path, "media": check / MEDIA, **input_paths(source, *CARRIED)},
        overwrite=overwrite,
    )  # fmt: skip
    if (done := writer.finished()) is not None:
        return done
    kept, dropped = split_dropped(without_lost(dataset.triplets, media))
    if not kept.num_rows:
        raise CvrError(f"No triplet of {source.path} has both its videos, so there is nothing to write.")
    step = FunnelStep(
        stage=STAGE, step=STAGE, rows_in=kept.num_rows + dropped.num_rows, rows_out=kept.num_rows,
        dropped=count_reasons(dropped),
    )  # fmt: skip
    before = source.manifest.get("funnel")
    artifacts = lineage([source.path])
    steps = funnel_of(artifacts) if before is None else [FunnelStep.from_json(entry) for entry in before]
    made_of = MadeOf(
        lineage=artifacts, funnel=[*steps, step], versions=installed_versions(),
        commands=[*commands_of(artifacts), running_command()],
    )  # fmt: skip
    with writer:
        return write_dataset(
            writer, name, kept, dropped, videos=dataset.videos, made_of=made_of,
            extra={"coverage": coverage(dataset.triplets, kept, media)},
        )  # fmt: skip


def without_lost(triplets: pa.Table, media: pa.Table) -> pa.Table:
    """Return the triplets with a `drop_reason` where a video is gone.

    Raises:
        CvrError: some of their videos were not checked.
    """
    if unchecked := used_videos(triplets) - set(media.column("video_id").to_pylist()):
        raise CvrError(
            f"{len(unchecked)} videos of the triplets were not checked, such as {min(unchecked)}; run cvr check-media "
            "on these triplets."
        )
    lost = media.filter(pc.is_in(media.column("status"), pa.array(LOST))).column("video_id").combine_chunks()
    is_lost = {end: pc.is_in(triplets.column(f"{end}_id"), lost) for end in ("reference", "target")}
    none = pa.scalar(None, pa.string())
    of_target = pc.if_else(is_lost["target"], "target_gone", none)
    return triplets.append_column("drop_reason", pc.if_else(is_lost["reference"], "reference_gone", of_target))


def coverage(before: pa.Table, after: pa.Table, media: pa.Table) -> dict[str, Any]:
    """Return how many videos are there, and how many triplets and queries of each split are left."""
    used = media.filter(pc.is_in(media.column("video_id"), pa.array(sorted(used_videos(before)), pa.string())))
    splits = {}
    for split in sorted(set(before.column("split").to_pylist())):
        rows = [table.filter(pc.equal(table.column("split"), split)) for table in (before, after)]
        splits[split] = {
            "triplets": [table.num_rows for table in rows],
            "queries": [len(set(table.column("query_id").to_pylist())) for table in rows],
        }
    times = used.column("checked_s").to_pylist()
    return {
        "videos": used.num_rows,
        "statuses": dict(sorted(Counter(used.column("status").to_pylist()).items())),
        "splits": splits,
        "checked_s": [min(times), max(times)],
    }

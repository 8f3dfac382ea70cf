"""A dataset folder opened for reading: its triplets and, where its manifest leads to them, its videos."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import FunnelStep, follow, input_paths, lineage_funnel
from cvr_data.media.places import whole_media_path
from cvr_data.tables import TRIPLETS, VIDEOS


@dataclass(frozen=True)
class Dataset:
    """Triplets, and the videos table with absolute paths (None where no videos folder is known)."""

    artifact: Artifact
    triplets: pa.Table
    videos: pa.Table | None
    video_folders: tuple[Path, ...] = ()


def open_dataset(folder: Path, *, videos: Path | None = None) -> Dataset:
    """Return the dataset in a folder made by `cvr build-triplets`; `videos` wins over what its manifest says.

    Raises:
        CvrError: the folder holds no triplets, or the videos have moved or changed.
    """
    artifact = open_artifact(folder)
    table = artifact.read()
    if not {"triplet_id", "modification"} <= set(table.column_names):
        raise CvrError(f"{folder} was made by {artifact.stage!r} and holds no triplets; run: cvr build-triplets")
    folders = [videos] if videos else input_paths(artifact, "videos").values()
    tables = [_with_absolute_paths(path) for path in folders]
    return Dataset(
        artifact=artifact,
        triplets=check_columns(table, TRIPLETS, str(folder)),
        videos=pa.concat_tables(tables, promote_options="permissive") if tables else None,
        video_folders=tuple(folders),
    )


def open_rows_as_triplets(folder: Path) -> Dataset | None:
    """Return pairs or usable texts in the form of triplets, or None where the folder holds neither.

    A pair has no text yet, which is the empty one.

    Raises:
        CvrError: the pairs or videos have moved or changed.
    """
    artifact = open_artifact(folder)
    if artifact.stage == "mine-pairs":
        rows = artifact.read()
        rows = rows.append_column("modification", pa.repeat("", rows.num_rows))
        rows = rows.append_column("triplet_id", rows["pair_id"]).append_column("style", rows["modification"])
    elif artifact.stage.startswith("generate-modifications"):
        texts = artifact.read().filter(pc.field("status") == "ok")
        pairs = pa.concat_tables([open_artifact(path).read() for path in input_paths(artifact, "pairs").values()])
        rows = pairs.take(pc.index_in(texts["pair_id"], pairs["pair_id"]))
        for name in ("modification_id", "modification", "style", "backend", "model"):
            rows = rows.append_column(name, texts[name])
        rows = rows.append_column("triplet_id", texts["modification_id"])
    else:
        return None
    rows = rows.append_column("query_id", rows["triplet_id"])
    rows = with_column(rows, "split", pc.fill_null(rows["split"], "none"))
    return Dataset(
        artifact, check_columns(rows, TRIPLETS, str(folder)), read_videos_of_triplets(follow(folder, "videos"))
    )


def dataset_funnel(artifact: Artifact, artifacts: Sequence[Artifact]) -> list[FunnelStep]:
    """Return the steps that a dataset was made by, as its manifest says or else those of the artifacts behind it."""
    recorded = artifact.manifest.get("funnel")
    return lineage_funnel(artifacts) if recorded is None else [FunnelStep.from_json(entry) for entry in recorded]


@dataclass(frozen=True)
class FoundVideos:
    """The videos of a folder: those of a videos artifact, or those that triplets use."""

    videos: pa.Table
    used: set[str] | None
    """Ids that the triplets use; None where all belong."""
    dataset: Dataset | None
    """The triplets, if the folder holds these."""


def open_videos_of_triplets(folder: Path, *, videos: Path | None = None) -> FoundVideos:
    """Return the videos of a folder of videos or triplets, with absolute paths.

    Raises:
        CvrError: the folder holds neither, or its manifest leads to no videos.
    """
    if "video_id" in open_artifact(folder).read().column_names:
        return FoundVideos(_with_absolute_paths(folder), None, None)
    dataset = open_dataset(folder, videos=videos)
    if dataset.videos is None:
        raise CvrError(f"{folder} does not say where its videos are; pass --videos.")
    return FoundVideos(dataset.videos, videos_of_triplets(dataset.triplets), dataset)


def read_videos_of_triplets(folders: Iterable[Path]) -> pa.Table | None:
    """Return the videos of all folders as one table, or None without a folder."""
    tables = [check_columns(open_artifact(folder).read(), VIDEOS, str(folder)) for folder in folders]
    return pa.concat_tables(tables, promote_options="permissive") if tables else None


def videos_of_triplets(triplets: pa.Table) -> set[str]:
    """Return the ids of all references and targets."""
    return {*triplets.column("reference_id").to_pylist(), *triplets.column("target_id").to_pylist()}


def _with_absolute_paths(folder: Path) -> pa.Table:
    table = read_videos_of_triplets([folder])
    assert table is not None
    home = folder.resolve()
    paths = [None if path is None else whole_media_path(home, path) for path in table["path"].to_pylist()]
    return with_column(table, VIDEOS.field("path"), paths)

"""What of a dataset may be published again: captions and media of videos under a licence that allows it.

Everything else is ids and urls. The texts that were written for the triplets are the dataset's own and stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.tables import TRIPLETS
from cvr_data.triplets.dataset import Dataset, videos_of_triplets
from cvr_data.triplets.licences import triplet_licence_redistributes

ENDS = ("reference", "target")


@dataclass(frozen=True)
class Publishable:
    """The part of a dataset that may be published."""

    triplets: pa.Table
    """All rows; captions of videos that are not free are null."""
    videos: pa.Table | None
    """All videos, with the licences that were given for their sources."""
    used: set[str]
    """Ids of all references and targets."""
    free: set[str]
    """Those whose captions and media may be published."""


def publishable(dataset: Dataset, licences: Mapping[str, str]) -> Publishable:
    """Return what may be published; `licences` is source of videos -> its licence, where the table is silent or wrong.

    Raises:
        CvrError: a licence for a source that there is not.
    """
    videos = _with_licences(dataset.videos, licences)
    used = videos_of_triplets(dataset.triplets)
    free = _redistributable(videos, used)
    return Publishable(_guarded(dataset.triplets, free), videos, used, free)


def _guarded(triplets: pa.Table, free: set[str]) -> pa.Table:
    """Return the triplets without what derives from captions of videos that may not be published again.

    The captions of such a video go, and so do `changes` and any text column of our own (scores stay) of its rows.
    """
    is_free = {
        end: pc.is_in(triplets.column(f"{end}_id"), value_set=pa.array(sorted(free), pa.string())) for end in ENDS
    }
    both = pc.and_(is_free["reference"], is_free["target"])
    keep = {f"{end}_caption": is_free[end] for end in ENDS} | {"changes": both}
    for field in triplets.schema:
        if field.name not in TRIPLETS.names and not (
            pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_boolean(field.type)
        ):
            keep[field.name] = both
    for name, mask in keep.items():
        field = triplets.schema.field(name)
        rows = pc.if_else(mask, pa.array(range(triplets.num_rows), pa.int64()), pa.scalar(None, pa.int64()))
        triplets = with_column(triplets, field, triplets.column(name).take(rows))
    return triplets


def _with_licences(videos: pa.Table | None, licences: Mapping[str, str]) -> pa.Table | None:
    sources = set() if videos is None else set(videos.column("source").to_pylist())
    for source in licences:
        if source not in sources:
            raise CvrError(f"--licence: no video is of source {source!r}. {did_you_mean(source, sources)}")
    if videos is None or not licences:
        return videos
    pairs = zip(videos.column("source").to_pylist(), videos.column("licence").to_pylist(), strict=True)
    found = pa.array([licences.get(source, licence) for source, licence in pairs], pa.string())
    return with_column(videos, "licence", found)


def _redistributable(videos: pa.Table | None, used: set[str]) -> set[str]:
    if videos is None:
        return set()
    pairs = zip(videos.column("video_id").to_pylist(), videos.column("licence").to_pylist(), strict=True)
    return {video_id for video_id, licence in pairs if triplet_licence_redistributes(licence)} & used

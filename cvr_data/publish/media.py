"""The media of a published dataset: where each file goes, the columns that play it, and thumbnails for the card.

Only media of videos that may be published again get here. A folder on the Hub holds at most 10,000 files, so that a
larger set of videos is spread over folders by two hex digits of a hash of their ids.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from cvr_data.formats import huggingface
from cvr_data.media.video import UnreadableVideo, jpeg_bytes, read_frames
from cvr_data.publish.redistribution import ENDS, Publishable
from cvr_data.tables import content_id

SAFE_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")
FLAT = 5_000
"""Videos up to which they lie in one folder; by id, so that adding one moves no other."""
THUMBNAIL_SIDE = 160
"""Pixels of the longer side."""


@dataclass(frozen=True)
class Medium:
    """A video's file: its path in the repository, and where it lies here."""

    name: str
    path: Path


def media_of(part: Publishable) -> dict[str, Medium]:
    """Return video id -> file, of every video that is there and may be published."""
    media: dict[str, Medium] = {}
    taken: set[str] = set()
    rows = [] if part.videos is None else part.videos.select(["video_id", "path"]).to_pylist()
    found = [(row["video_id"], Path(row["path"])) for row in rows if row["path"] and row["video_id"] in part.free]
    found = [(video_id, path) for video_id, path in found if path.is_file()]
    for video_id, path in found:
        folder = "videos" if len(found) <= FLAT else f"videos/{content_id(video_id)[:2]}"
        stem = video_id.removesuffix(path.suffix)
        name = f"{folder}/{stem}{path.suffix}"
        if not SAFE_ID.fullmatch(stem) or name in taken:
            name = f"{folder}/{content_id(video_id)}{path.suffix}"
        taken.add(name)
        media[video_id] = Medium(name, path)
    return media


def with_urls(triplets: pa.Table, videos: pa.Table | None) -> pa.Table:
    """Return the triplets with `reference_url` and `target_url`, if any video has a url."""
    if videos is None or videos.column("url").null_count == videos.num_rows:
        return triplets
    urls = dict(zip(videos.column("video_id").to_pylist(), videos.column("url").to_pylist(), strict=True))
    for end in ENDS:
        found = [urls.get(video_id) for video_id in triplets.column(f"{end}_id").to_pylist()]
        triplets = triplets.append_column(f"{end}_url", pa.array(found, pa.string()))
    return triplets


def with_video_columns(triplets: pa.Table, where: str, media: Mapping[str, Medium]) -> pa.Table:
    """Return the triplets with columns that `datasets` opens as videos; `where` is user/name, or that@revision."""
    stored = {
        video_id: {"path": f"hf://datasets/{where}/{medium.name}", "bytes": None} for video_id, medium in media.items()
    }
    table = huggingface.with_videos(triplets, stored)
    return table.cast(huggingface.features_of(table.schema, decode=False).arrow_schema)


def thumbnails(video_ids: Iterable[str], media: Mapping[str, Medium]) -> dict[str, tuple[str, bytes]]:
    """Return video id -> (path in the repository, JPEG of its middle frame); media that cannot be read have none."""
    made = {}
    for video_id in dict.fromkeys(video_ids):
        if video_id not in media:
            continue
        try:
            frames = read_frames(media[video_id].path, 1, "middle")
        except UnreadableVideo:
            continue
        made[video_id] = (
            f"thumbnails/{content_id(video_id)}.jpg",
            jpeg_bytes(frames[0], longest_side=THUMBNAIL_SIDE, quality=80),
        )
    return made

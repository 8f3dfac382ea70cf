"""The media of a published dataset: where each file goes, the columns that play it, and thumbnails for the card.

Only media of videos that may be published again get here. A recording that several videos are clips of is there once,
and the rows say which seconds of it are theirs. A folder on the Hub holds at most 10,000 files, so that a
larger set of videos is spread over folders by two hex digits of a hash of their ids.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError, first_few
from cvr_data.formats import huggingface
from cvr_data.media.clip import Clip
from cvr_data.media.places import clips_of, ids_of_media_clips
from cvr_data.media.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES, UnreadableVideo, jpeg_bytes, read_frames
from cvr_data.publish.redistribution import ENDS, Publishable
from cvr_data.tables import content_id

SAFE_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")
FLAT = 5_000
"""Videos up to which they lie in one folder; by id, so that adding one moves no other."""
THUMBNAIL_SIDE = 160
"""Pixels of the longer side."""


@dataclass(frozen=True)
class PublishedMedium:
    """A video's file: its path in the repository, and the clip that it is of a file here."""

    name: str
    clip: Clip

    @property
    def path(self) -> Path:
        """Where the file lies here."""
        return self.clip.path


def publishable_media(part: Publishable, folders: Sequence[Path]) -> tuple[dict[str, PublishedMedium], dict[str, Path]]:
    """Return video id -> file, of every video that is there and may be published, and those that lie elsewhere.

    A table can name any file of this machine: what leaves lies, links followed, in one of the folders and has the
    ending of a video or image. A recording is published if no clip of it that is used is of another licence.
    """
    inside, elsewhere = _clips_inside_folders(_free_clips(part), [folder.resolve() for folder in folders])
    return _named_media(inside), elsewhere


def check_published_media(media: Mapping[str, PublishedMedium], elsewhere: Mapping[str, Path]) -> None:
    """Refuse to upload what lies elsewhere, or shows no picture. Raises CvrError: names the first of them."""
    if elsewhere:
        told = first_few(f"{video_id} ({path})" for video_id, path in elsewhere.items())
        raise CvrError(
            f"Media of these videos are no videos or images in the dataset's folders: {told}. Name the folder that "
            "they may be published from: --media FOLDER."
        )
    for video_id, medium in media.items():
        try:
            read_frames(medium.path, 1, "first")
        except UnreadableVideo as error:
            raise CvrError(f"The medium of {video_id} shows no picture, so it is not published: {error}") from None


def _clips_inside_folders(
    clips: Mapping[str, Clip], folders: Sequence[Path]
) -> tuple[dict[str, Clip], dict[str, Path]]:
    """Clips by the files that they really are, and the files of those that may not leave."""
    inside: dict[str, Clip] = {}
    elsewhere: dict[str, Path] = {}
    for video_id, clip in clips.items():
        path = clip.path.resolve()
        is_medium = {clip.path.suffix.lower(), path.suffix.lower()} <= VIDEO_SUFFIXES | IMAGE_SUFFIXES
        if is_medium and any(path.is_relative_to(folder) for folder in folders):
            inside[video_id] = replace(clip, path=path)
        else:
            elsewhere[video_id] = clip.path
    return inside, elsewhere


def _free_clips(part: Publishable) -> dict[str, Clip]:
    clips = {} if part.videos is None else clips_of(part.videos, Path())
    guarded = {clips[name].path for name in part.used - part.free if name in clips}
    return {
        name: clip
        for name, clip in clips.items()
        if name in part.free and clip.path.is_file() and (clip.is_whole or clip.path not in guarded)
    }


def _named_media(found: Mapping[str, Clip]) -> dict[str, PublishedMedium]:
    """Where each file goes; a recording goes once."""
    media: dict[str, PublishedMedium] = {}
    taken: set[str] = set()
    recordings: dict[Path, str] = {}
    for video_id, clip in found.items():
        suffix = clip.path.suffix
        stem = video_id.removesuffix(suffix) if clip.is_whole else f"recording-{content_id(clip.path.name)}"
        name = None if clip.is_whole else recordings.get(clip.path)
        if name is None:
            folder = (
                "videos"
                if len(found) <= FLAT
                else f"videos/{content_id(video_id if clip.is_whole else clip.path.name)[:2]}"
            )
            name = f"{folder}/{stem}{suffix}"
            if not SAFE_ID.fullmatch(stem) or name in taken:
                name = f"{folder}/{content_id(video_id)}{suffix}"
            taken.add(name)
            if not clip.is_whole:
                recordings[clip.path] = name
        media[video_id] = PublishedMedium(name, clip)
    return media


def add_urls_to_publish(triplets: pa.Table, videos: pa.Table | None) -> pa.Table:
    """Return the triplets with `reference_url` and `target_url`, if any video has a url."""
    if videos is None or videos.column("url").null_count == videos.num_rows:
        return triplets
    urls = dict(zip(videos.column("video_id").to_pylist(), videos.column("url").to_pylist(), strict=True))
    for end in ENDS:
        found = [urls.get(video_id) for video_id in triplets.column(f"{end}_id").to_pylist()]
        triplets = triplets.append_column(f"{end}_url", pa.array(found, pa.string()))
    return triplets


def add_times_to_publish(triplets: pa.Table, videos: pa.Table | None) -> pa.Table:
    """Return the triplets with `reference_start_s` to `target_end_s`, if any video is a clip of a longer file."""
    if videos is None or not ids_of_media_clips(videos):
        return triplets
    for end in ENDS:
        rows = pc.index_in(triplets.column(f"{end}_id"), videos.column("video_id").combine_chunks())
        for name in ("start_s", "end_s"):
            triplets = with_column(triplets, f"{end}_{name}", videos.column(name).take(rows))
    return triplets


def add_videos_to_publish(triplets: pa.Table, where: str, media: Mapping[str, PublishedMedium]) -> pa.Table:
    """Return the triplets with columns that `datasets` opens as videos; `where` is user/name, or that@revision."""
    stored = {
        video_id: {"path": f"hf://datasets/{where}/{medium.name}", "bytes": None} for video_id, medium in media.items()
    }
    table = huggingface.huggingface_format_videos(triplets, stored)
    return table.cast(huggingface.huggingface_format_features(table.schema, decode=False).arrow_schema)


def published_thumbnails(
    video_ids: Iterable[str], media: Mapping[str, PublishedMedium]
) -> dict[str, tuple[str, bytes]]:
    """Return video id -> (path in the repository, JPEG of its middle frame); media that cannot be read have none."""
    made = {}
    for video_id in dict.fromkeys(video_ids):
        if video_id not in media:
            continue
        try:
            frames = read_frames(media[video_id].clip, 1, "middle")
        except UnreadableVideo:
            continue
        made[video_id] = (
            f"thumbnails/{content_id(video_id)}.jpg",
            jpeg_bytes(frames[0], longest_side=THUMBNAIL_SIDE, quality=80),
        )
    return made

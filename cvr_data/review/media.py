"""The videos that the page may show: files of the dataset and nothing else, by number, never by a path from outside.

A file is served if it lies where its videos table says: a relative path inside that folder or one that it was made
from, an absolute one in the very folder it names. A link that leads elsewhere is served only where `--media` allows
the folder it leads to.
"""

import io
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from cvr_data.core.lineage import lineage
from cvr_data.media.clip import Clip
from cvr_data.media.places import media_clips_of_videos
from cvr_data.media.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES, UnreadableVideo, read_frames
from cvr_data.pages.clips import small_mp4_for_page

PLAYED = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm"}
"""Files that browsers play; others are made into small MP4 files the first time."""
IMAGES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".bmp": "image/bmp"}
SHOWN = PLAYED | IMAGES
STRIP_FRAMES = 8
STRIP_HEIGHT = 72
MOST_WIDE = 65_000
"""Pixels of a strip: JPEG takes a few more."""


Value = TypeVar("Value")


class Media:
    """Every video of a review by number, with its file if it has one."""

    def __init__(
        self, number_of: Mapping[str, int], files: Mapping[str, Clip], homes: Mapping[str, Sequence[Path]],
        allowed: Sequence[Path] = (),
    ):  # fmt: skip
        self.video_ids = list(number_of)
        self.number_of = number_of
        self._files = files
        self._homes = homes
        self._allowed = [folder.resolve() for folder in allowed]
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._made: dict[int, Path] = {}
        self._lock = threading.Lock()
        self.strip = lru_cache(maxsize=256)(self._frame_strip)

    def close(self) -> None:
        """Remove the files that were made."""
        if self._folder is not None:
            self._folder.cleanup()

    def path(self, number: int) -> Path | None:
        """Return the file of that number, or None: unknown, gone, no media, or a link that leads out."""
        if not 0 <= number < len(self.video_ids):
            return None
        video_id = self.video_ids[number]
        if video_id not in self._files:
            return None
        real = self._files[video_id].path.resolve()
        if not real.is_file() or real.suffix.lower() not in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
            return None
        roots = [*(folder.resolve() for folder in self._homes[video_id]), *self._allowed]
        return real if any(real.is_relative_to(root) for root in roots) else None

    def clip(self, number: int) -> Clip | None:
        """Return the clip of that number, of the very file that `path` gives."""
        path = self.path(number)
        return None if path is None else replace(self._files[self.video_ids[number]], path=path)

    def played(self, number: int) -> Clip | None:
        """Return the clip whose times a player needs: that of a longer file which browsers play."""
        clip = self.clip(number)
        return None if clip is None or clip.is_whole or clip.path.suffix.lower() not in PLAYED else clip

    def missing(self) -> int:
        """Return how many videos have no file that may be shown."""
        return sum(self.path(number) is None for number in range(len(self.video_ids)))

    def kind(self, number: int) -> str | None:
        """Return `video` or `image`, or None where there is no file to show."""
        path = self.path(number)
        return None if path is None else "image" if path.suffix.lower() in IMAGE_SUFFIXES else "video"

    def playable(self, number: int) -> Path | None:
        """Return a file that a browser plays, made from the video's if need be; None if there is none."""
        clip = self.clip(number)
        if clip is None or clip.path.suffix.lower() in SHOWN:
            return None if clip is None else clip.path
        with self._lock:
            if number not in self._made:
                try:
                    content = small_mp4_for_page(clip)
                except UnreadableVideo:
                    return None
                self._folder = self._folder or tempfile.TemporaryDirectory(prefix="cvr-review-")
                self._made[number] = Path(self._folder.name) / f"{number}.mp4"
                self._made[number].write_bytes(content)
            return self._made[number]

    def _frame_strip(self, number: int, count: int = STRIP_FRAMES, sampler: str = "uniform") -> bytes | None:
        """A JPEG of frames side by side, first to last; None if the video cannot be read."""
        from PIL import Image

        clip = self.clip(number)
        if clip is None:
            return None
        try:
            frames = read_frames(clip, count, sampler)
        except UnreadableVideo:
            return None
        whole = round(STRIP_HEIGHT * frames.shape[2] / frames.shape[1])
        width = max(1, min(whole, MOST_WIDE // len(frames)))
        small = [np.asarray(Image.fromarray(frame).resize((width, STRIP_HEIGHT))) for frame in frames]
        file = io.BytesIO()
        Image.fromarray(np.concatenate(small, axis=1)).save(file, "JPEG", quality=80)
        return file.getvalue()


class _ByRow(Mapping[str, Value]):
    """What is worked out of a row of a table when it is asked for; a million rows take no memory."""

    def __init__(self, row_of: Mapping[str, int], of: Callable[[int], Value | None]):
        self._row_of = row_of
        self._of = of

    def __getitem__(self, video_id: str) -> Value:
        found = self._of(self._row_of[video_id])
        if found is None:
            raise KeyError(video_id)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._row_of)

    def __len__(self) -> int:
        return len(self._row_of)


def review_media_of_table(
    videos: pa.Table, row_of: Mapping[str, int], folder: Path, allowed: Sequence[Path] = ()
) -> Media:
    """Return the media of the videos of a table, each numbered by its row."""
    inside = [artifact.path for artifact in lineage([folder])]

    def clip(row: int) -> Clip | None:
        video = media_clips_of_videos(videos.slice(row, 1), folder)[0]
        return None if video.path is None else replace(video.clip, path=Path(os.path.normpath(video.path)))

    def homes(row: int) -> Sequence[Path] | None:
        path = videos.column("path")[row].as_py()
        return inside if path is None or not Path(path).is_absolute() else [Path(os.path.normpath(path)).parent]

    return Media(row_of, _ByRow(row_of, clip), _ByRow(row_of, homes), allowed)


def media_to_review(folders: Iterable[Path], wanted: set[str], allowed: Sequence[Path] = ()) -> Media:
    """Return the media of the wanted videos as the tables in the folders name them."""
    from cvr_data.triplets.dataset import read_videos_of_triplets

    files: dict[str, Clip] = {}
    homes: dict[str, list[Path]] = {}
    for folder in folders:
        table = read_videos_of_triplets([folder])
        assert table is not None
        inside = [artifact.path for artifact in lineage([folder])]
        for video, path in zip(media_clips_of_videos(table, Path(folder)), table["path"].to_pylist(), strict=True):
            if path and video.video_id in wanted and video.video_id not in files:
                declared = replace(video.clip, path=Path(os.path.normpath(video.clip.path)))
                files[video.video_id] = declared
                homes[video.video_id] = [declared.path.parent] if Path(path).is_absolute() else inside
    return Media({video_id: number for number, video_id in enumerate(sorted(wanted))}, files, homes, allowed)

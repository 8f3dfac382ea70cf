"""Looks at media files before they enter a table: can a frame be decoded, how long is it, what are its bytes."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cvr_data.core.whole_files import file_sha256
from cvr_data.media.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES, UnreadableVideo, probe, read_frames

THREADS = 4
"""Opening files is mostly waiting."""


@dataclass(frozen=True)
class Look:
    """What was found in a media file; `drop_reason` says why it cannot be used."""

    duration_s: float | None = None
    sha256: str | None = None
    drop_reason: str | None = None
    detail: str | None = None


def look_at(paths: Sequence[Path]) -> list[Look]:
    """Return a look at each file, in order; one that is missing or has no frame to decode gets its reason."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(_look_at_one, paths))


def media_files(folder: Path) -> list[str]:
    """Return the videos and images in a folder and those below it, sorted, relative to it; hidden ones are left out."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        path.as_posix()
        for path in found
        if path.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.parts)
    )


def with_suffix(path: Path) -> Path:
    """Return the file itself, or the one video or image beside it that only adds an ending."""
    if path.is_file():
        return path
    endings = (path.with_name(path.name + suffix) for suffix in sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES))
    return next((found for found in endings if found.is_file()), path)


def _look_at_one(path: Path) -> Look:
    if not path.is_file():
        return Look(drop_reason="missing_file", detail=f"{path}: no such file")
    try:
        read_frames(path, count=1, sampler="first")
        duration_s = probe(path).duration_s or None
    except UnreadableVideo as error:
        return Look(drop_reason="unreadable_video", detail=str(error))
    return Look(duration_s, file_sha256(path))

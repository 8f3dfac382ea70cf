"""Looks at media files before they enter a table: can a frame be decoded, how long is it, what are its bytes."""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cvr_data.core.errors import CvrError, first_line
from cvr_data.core.places import is_remote, names_below
from cvr_data.core.whole_files import file_sha256
from cvr_data.media.clip import Clip
from cvr_data.media.names import media_exists, what_medium_is_there
from cvr_data.media.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES, UnreadableVideo, probe_medium

THREADS = 4
"""Opening files is mostly waiting."""


@dataclass(frozen=True)
class Look:
    """What was found in a media file; `drop_reason` says why it cannot be used."""

    duration_s: float | None = None
    sha256: str | None = None
    drop_reason: str | None = None
    detail: str | None = None
    note: str | None = None
    """What is to be said of a file that is used."""
    verdict: str = "missing"
    """A word of `cvr_data.media.verdict.VERDICTS`."""


def look_at_clips(clips: Sequence[Clip]) -> list[Look]:
    """Return a look at each clip, in order; one that is missing or has no frame to decode gets its reason."""
    sha256s = FileHashes()
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda clip: _look_at_one(clip, sha256s), clips))


class FileHashes:
    """The sha256 of files, each read once, though many clips may be of it; one object serves many threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.found: dict[Path, Future[str]] = {}

    def __call__(self, path: Path) -> str:
        """Return the sha256 of a file's bytes."""
        with self.lock:
            is_first = path not in self.found
            future = self.found.setdefault(path, Future())
        if is_first:
            try:
                future.set_result(file_sha256(path))
            except BaseException as error:
                future.set_exception(error)
        return future.result()


def media_files(folder: Path) -> list[str]:
    """Return the videos and images in a folder and those below it, sorted, relative to it; hidden ones are left out.

    What is called so and is none (a pipe, a link that leads nowhere) is there too: its row is dropped, and counted.
    """
    names = [name for name in names_below(folder) if Path(name).suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES]
    return [name for name in names if is_remote(folder) or not (folder / name).is_dir()]


def media_path_inside(folder: Path, name: str) -> Path:
    """Return the file that a table names below a folder. Raises CvrError: the name leads out of it."""
    here, path = (_normal(place) for place in (folder, folder / name))
    if "\0" in name or not path.is_relative_to(here):
        raise CvrError(
            f"{name!r} leads out of {folder}, where media are looked for; with -o media=/ a table may name any file."
        )
    return folder / name


def _normal(place: Path) -> Path:
    return place.resolve() if is_remote(place) else Path(os.path.normpath(Path.cwd() / place))


def _look_at_one(clip: Clip, file_sha256: FileHashes) -> Look:
    if not media_exists(clip.path):
        return Look(
            drop_reason="missing_file", detail=f"{Clip(clip.path)}: no such file{what_medium_is_there(clip.path)}"
        )
    try:
        info = probe_medium(clip)
        return Look(info.duration_s or None, clip.sha256(file_sha256(clip.path)), note=info.note, verdict=info.verdict)
    except UnreadableVideo as error:
        return Look(drop_reason="unreadable_video", detail=str(error), verdict=error.verdict)
    except OSError as error:
        detail = f"{Clip(clip.path)}: cannot be read ({error.strerror or first_line(error)})."
        return Look(drop_reason="unreadable_video", detail=detail, verdict="unreadable")

"""A clip: a media file as a whole, or what lies in it from one second up to another.

    Clip(Path("a.mp4"))               # all of it
    Clip(Path("a.mp4"), 3.5, 10.0)    # the frames shown from 3.5 s on, and before 10 s

Seconds count from where the file starts, as players count them.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

from cvr_data.core.places import path_or_address


@dataclass(frozen=True)
class Clip:
    """A file, and the seconds of it that count; None is its start or its end."""

    path: Path
    start_s: float | None = None
    end_s: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the file."""
        return self.start_s is None and self.end_s is None

    def __str__(self) -> str:
        path = printable_media_path(self.path)
        if self.is_whole:
            return path
        start, end = (time if time is None else f"{time:g} s" for time in (self.start_s, self.end_s))
        return f"{path} from {start or 'its start'} to {end or 'its end'}"

    def sha256(self, file_sha256: str) -> str:
        """Return what tells the clip's content: the file's own sha256, or one of that and the two times."""
        if self.is_whole:
            return file_sha256
        return hashlib.sha256(json.dumps([file_sha256, self.start_s, self.end_s]).encode()).hexdigest()


def printable_media_path(path: Path) -> str:
    """Return a path as text that can be printed and stored: bytes that are not UTF-8 as their escapes."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def as_clip(medium: Path | Clip) -> Clip:
    """Return a clip as it is, and a file as the clip of all of it."""
    return medium if isinstance(medium, Clip) else Clip(path_or_address(medium))


def media_clip_times_fault(start_s: float | None, end_s: float | None) -> str | None:
    """Return why two times are no start and end, or None if they are."""
    given = [time for time in (start_s, end_s) if time is not None]
    if not all(math.isfinite(time) and time >= 0 for time in given):
        return f"{start_s} to {end_s} s: a time is below 0 or no number"
    if len(given) == 2 and given[0] >= given[1]:
        return f"{start_s} to {end_s} s: the end does not come after the start"
    return None

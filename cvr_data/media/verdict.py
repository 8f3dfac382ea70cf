"""What is said of a media file: why it gives no frame, or what is not as its header promises.

still       an image, or a video of one frame
truncated   the file ends before what its header promises
damaged     parts cannot be decoded; what can be is used
audio_only  only sound
cover_only  only sound and a picture of its cover
too_large   beyond `cvr_data.media.limits`
forbidden   there is no permission to read it
missing     there is no such file
unreadable  whatever else

The last six, and the first two where too little is left, are no videos: their row is dropped as `unreadable_video`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cvr_data.core.errors import CvrError

VERDICTS = (
    "ok",
    "still",
    "truncated",
    "damaged",
    "audio_only",
    "cover_only",
    "too_large",
    "forbidden",
    "missing",
    "unreadable",
)


class UnreadableVideo(CvrError):
    """A media file that is missing, broken or without a frame; `verdict` is one of `VERDICTS`."""

    def __init__(self, text: str, verdict: str = "unreadable"):
        super().__init__(text)
        self.verdict = verdict


@dataclass(frozen=True)
class VideoInfo:
    """What a file holds of its video, or of a clip's part of it, as a player shows it."""

    duration_s: float
    fps: float
    frames: int
    width: int
    height: int
    note: str | None = None
    """What is to be said of it: a verdict, a colon and the facts."""

    @property
    def verdict(self) -> str:
        """Return the word that the note begins with."""
        return media_check_verdict(self.note)


def media_check_verdict(note: str | None) -> str:
    """Return the word that a note begins with, `ok` where there is none."""
    return note.partition(":")[0] if note else "ok"


def what_is_odd_in_media(verdicts: Mapping[str, int]) -> str:
    """Return a line about the media of these verdicts that are not as they should be; empty where all are."""
    odd = [f"{verdicts[name]} {name}" for name in ("truncated", "damaged") if verdicts.get(name)]
    used = "what can be decoded is used where it is enough (column media_note)"
    return f"{' and '.join(odd)} media: {used}" if odd else ""

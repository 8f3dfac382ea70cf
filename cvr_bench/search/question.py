"""What is asked of a library of videos, who ranks, and what was found."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is looked for."""

    like: str | None = None
    """Id of a video of the folder, or a media file."""
    texts: tuple[str, ...] = ()
    """What should be different; without `like` what is to be seen."""
    without: tuple[str, ...] = ()
    """What should not be true."""


@dataclass(frozen=True, kw_only=True)
class SearchModel:
    """Who ranks."""

    name: str = "sum"
    options: tuple[str, ...] = ()
    checkpoint: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """A video that was found."""

    video_id: str
    caption: str
    path: str | None
    score: float
    by_text: float | None
    """Cosine of the texts and the video, the mean over texts; None where no text was given."""
    by_video: float | None
    """Cosine of the two videos' mean frames; None where no video was given."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one text says of a video."""

    text: str
    score: float
    """Cosine of the text and the video's mean frame."""
    frames: tuple[float, ...]
    """Cosine of the text and each frame, first to last."""


@dataclass(frozen=True, kw_only=True)
class Why:
    """Why a video stands where it does."""

    texts: tuple[Said, ...]
    without: tuple[Said, ...]
    by_video: float | None
    """Cosine of the two videos' mean frames; None where no video was given."""
    frames_by_video: tuple[float, ...]
    """Cosine of each frame and the mean frame of the video it should be like; empty where none was given."""

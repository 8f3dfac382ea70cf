"""Holds the clips a report shows, each once, small enough to stand inside the page as data URIs."""

import base64
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cvr_data.media.clip import Clip, as_clip
from cvr_data.media.video import UnreadableVideo, probe_medium, read_frames, write_mp4

MAX_BYTES = 120_000
"""Larger files are made smaller before they are embedded."""
FRAMES = 24
"""Frames kept of a clip that is made smaller."""
LONG_SIDE = 224
"""Pixels of the longer side of a clip that is made smaller."""


@dataclass
class ClipShelf:
    """Clips by video id, and the data URI of every one asked for so far."""

    clips: dict[str, Clip]
    uris: dict[str, str] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    """Width over height of those clips."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """video_id -> why there is no clip."""
    most_bytes: int | None = None
    """Of all clips together; those that are asked for beyond are not embedded."""
    bytes_held: int = 0

    def hold_few_more(self, most_bytes: int) -> str:
        """Embed at most about so many bytes from here on; return nothing to be shown."""
        self.most_bytes = self.bytes_held + most_bytes
        return ""

    def is_full(self, video_id: str) -> bool:
        """Return whether the clip is left out because the page holds enough."""
        return video_id not in self.uris and video_id not in self.unreadable

    def has(self, video_id: str) -> bool:
        """Return whether the clip can be shown, embedding it the first time."""
        if video_id not in self.uris and video_id not in self.unreadable:
            clip = self.clips.get(video_id)
            if clip is None:
                self.unreadable[video_id] = "no media file is known"
                return False
            if self.most_bytes is not None and self.bytes_held >= self.most_bytes:
                return False
            try:
                self.uris[video_id] = clip_data_uri(clip)
                self.bytes_held += len(self.uris[video_id])
                found = probe_medium(clip)
                self.ratios[video_id] = round(min(16 / 9, max(1.0, found.width / found.height)), 3)
            except UnreadableVideo as error:
                self.unreadable[video_id] = str(error)
        return video_id in self.uris


def clip_data_uri(medium: Path | Clip) -> str:
    """Return an MP4 file as a data URI; one that is large, no MP4, or a part of a file, is sampled and scaled down.

    Raises:
        UnreadableVideo: the file is missing, broken or has no frame.
    """
    clip = as_clip(medium)
    path = clip.path
    if clip.is_whole and path.suffix.lower() == ".mp4" and path.is_file() and path.stat().st_size <= MAX_BYTES:
        probe_medium(path)
        content = path.read_bytes()
    else:
        content = small_mp4_for_page(clip)
    return f"data:video/mp4;base64,{base64.b64encode(content).decode()}"


def small_mp4_for_page(clip: Clip) -> bytes:
    """Return the clip as a small MP4 file. Raises UnreadableVideo: the file is missing, broken or has no frame."""
    from PIL import Image

    frames = read_frames(clip, FRAMES)
    height, width = frames.shape[1:3]
    ratio = min(1.0, LONG_SIDE / max(height, width))
    shape = [max(2, 2 * round(side * ratio / 2)) for side in (width, height)]
    small = [Image.fromarray(frame).resize(shape, Image.Resampling.BICUBIC) for frame in frames]
    duration_s = probe_medium(clip).duration_s
    fps = 1 if len(frames) == 1 else min(30, max(1, round(len(frames) / duration_s))) if duration_s > 0 else 8
    with tempfile.TemporaryDirectory() as folder:
        smaller = Path(folder) / "clip.mp4"
        write_mp4(smaller, np.stack([np.asarray(image) for image in small]), fps=fps)
        return smaller.read_bytes()

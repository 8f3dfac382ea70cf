"""What one media file may take, and what of it is opened at all: a file says what it likes about itself.

Sizes are looked at before anything is decoded; what a library takes regardless ends with the process that decodes
(`cvr_data.media.decoders`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

FORMATS = (
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "gif", "apng", "mpegts", "mpeg", "mpegvideo",
    "flv", "asf", "ogg", "h264", "hevc", "vvc", "m4v", "av1", "ivf", "obu", "mjpeg", "mxf", "rm", "nut", "dv", "wtv",
    "yuv4mpegpipe", "wav", "mp3", "aac", "flac",
)  # fmt: skip
"""Demuxers of FFmpeg that read one file. Scripts and playlists (concat, hls, dash) name others, and are not opened."""
PICTURES = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "AVIF")
"""Readers of Pillow. EPS, which it gives to Ghostscript, is not among them."""
LEAST_SHARE = 0.25
"""A file that holds, or whose decoder gives, less of the frames that were promised is no video of what it was."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds for one file."""

    pixels: int = 100_000_000
    """Of a picture: phones make 50 million, Pillow warns at 89."""
    frames: int = 5_000_000
    """Packets of a stream: 46 hours of 30 a second."""
    seconds: float = 1_000_000.0
    """From the first timestamp to the last: 11 days."""
    returned_bytes: int = 1 << 31
    """Of all frames that are asked for."""
    memory_bytes: int = 3 << 30
    """Of addresses, beyond what the process has before it opens a file."""
    silent_s: float = 60.0
    """Without a packet or a frame."""
    work_s: float = 900.0
    """Of one file in all."""


LIMITS = Limits()


@dataclass(frozen=True)
class Work:
    """The limits of the work at hand, and what is to be called at every sign of life."""

    limits: Limits = LIMITS
    tick: Callable[[], None] = field(default=lambda: None)

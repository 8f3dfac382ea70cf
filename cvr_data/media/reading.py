"""Reads one file, whatever it is: pictures by Pillow, films by FFmpeg. It runs in a process that may be killed."""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from cvr_data.core.errors import first_line
from cvr_data.media.clip import Clip
from cvr_data.media.cutting import cut_clip
from cvr_data.media.film import look_at_film, read_film
from cvr_data.media.limits import Work
from cvr_data.media.opening import open_video, plain_head
from cvr_data.media.shots import shot_cuts
from cvr_data.media.sound import read_sound_samples
from cvr_data.media.stills import is_picture, look_at_pictures, read_pictures
from cvr_data.media.suffixes import IMAGE_SUFFIXES
from cvr_data.media.timeline import Sampled
from cvr_data.media.verdict import UnreadableVideo, VideoInfo


def read(clip: Clip, count: int, sampler: str, size: int | None, work: Work) -> Sampled:
    """Return the sampled pictures, at least one.

    Raises:
        UnreadableVideo: there is none.
    """
    try:
        if _is_picture(clip, work):
            return read_pictures(clip, count, sampler, size, work)
        return read_film(clip, count, sampler, size, work)
    except UnreadableVideo:
        raise
    except Exception as error:  # a broken file may raise anything: it costs its own row and no other
        raise UnreadableVideo(f"cannot be decoded ({_reason(error)})", _verdict(error)) from error


def listen(clip: Clip, hz: int, work: Work) -> np.ndarray:
    """Return the sound of a file, int16 (N,), `hz` samples a second; none where it has none.

    Raises:
        UnreadableVideo: it cannot be opened.
    """
    try:
        return np.empty(0, np.int16) if _is_picture(clip, work) else read_sound_samples(clip, hz, work)
    except UnreadableVideo:
        raise
    except Exception as error:
        raise UnreadableVideo(f"its sound cannot be decoded ({_reason(error)})", _verdict(error)) from error


def look(clip: Clip, work: Work) -> VideoInfo:
    """Return what there is of a file, of which one frame at least is decoded.

    Raises:
        UnreadableVideo: there is none.
    """
    try:
        if _is_picture(clip, work):
            return look_at_pictures(clip, work)
        return look_at_film(clip, work)
    except UnreadableVideo:
        raise
    except Exception as error:
        raise UnreadableVideo(f"cannot be opened ({_reason(error)})", _verdict(error)) from error


def cuts(clip: Clip, threshold: float, work: Work) -> list[float]:
    """Return the seconds at which a shot begins inside a piece of a film.

    Raises:
        UnreadableVideo: it cannot be decoded.
    """
    try:
        return [] if _is_picture(clip, work) else shot_cuts(clip, threshold, work)
    except UnreadableVideo:
        raise
    except Exception as error:
        raise UnreadableVideo(f"cannot be decoded ({_reason(error)})", _verdict(error)) from error


def cut(clip: Clip, out: Path, work: Work) -> int:
    """Write a clip to an MP4 file of its own and return how many frames it has.

    Raises:
        UnreadableVideo: it has none that can be decoded.
    """
    try:
        if _is_picture(clip, work):
            raise UnreadableVideo("a picture, of which no clip is cut", "still")
        return cut_clip(clip, out, work)
    except UnreadableVideo:
        raise
    except Exception as error:
        raise UnreadableVideo(f"cannot be cut ({_reason(error)})", _verdict(error)) from error


def look_at_header(file: Any, work: Work) -> VideoInfo:
    """Return what the header of an object that reads like a file says: all of it is not fetched for this.

    Raises:
        UnreadableVideo: it has no video, or cannot be opened.
    """
    try:
        with open_video(file, work.limits) as opened:
            duration_s = (opened.container.duration or 0) / 1_000_000
            context = opened.stream.codec_context
            fps = float(opened.stream.average_rate or 0)
            return VideoInfo(duration_s, fps, opened.stream.frames, context.width, context.height)
    except UnreadableVideo:
        raise
    except Exception as error:
        raise UnreadableVideo(_reason(error), _verdict(error)) from error


def _is_picture(clip: Clip, work: Work) -> bool:
    head = plain_head(clip.path)
    if head.startswith(b"GIF8") and len(head) > 10:  # which FFmpeg does not look at before it decodes
        width, height = struct.unpack("<2H", head[6:10])
        if width * height > work.limits.pixels:
            raise UnreadableVideo(f"too_large: its pictures are {width} x {height} pixels", "too_large")
    return is_picture(head, clip.path.suffix.lower(), IMAGE_SUFFIXES)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or first_line(error)).rstrip(".")


def _verdict(error: Exception) -> str:
    return "too_large" if isinstance(error, MemoryError) else "unreadable"

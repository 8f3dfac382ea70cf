"""A video, what is known of its file, and its frames.

An image is a video of one frame, and a clip one of the frames between two times of its file. `read_frames` gives RGB as
a player shows it, and decodes no more than the wanted frames need (`cvr_data.media.frame_decoding`), in a process of
its own (`cvr_data.media.decoders`).
"""

import base64
import fractions
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cvr_data.core.places import is_remote, local_file_of_address
from cvr_data.media.clip import Clip, as_clip
from cvr_data.media.decoders import DECODERS
from cvr_data.media.shots import shot_detection_film_pieces
from cvr_data.media.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from cvr_data.media.timeline import SAMPLERS, frame_sampler_and_rate, sample_indices
from cvr_data.media.verdict import UnreadableVideo, VideoInfo

__all__ = [
    "IMAGE_SUFFIXES", "SAMPLERS", "VIDEO_SUFFIXES", "Frames", "UnreadableVideo", "Video", "VideoInfo", "cut_video",
    "find_shots", "jpeg_bytes", "jpeg_data_uri", "noting_media", "probe_medium", "read_frames",
    "read_frames_and_note", "read_sound", "sample_indices", "write_mp4",
]  # fmt: skip
DECODING = 3
"""Raised with whatever changes the frames of some file: features are known by it."""


@dataclass(frozen=True)
class Video:
    """A video of a table; `path` is None where only its stored features are needed."""

    video_id: str
    path: Path | None = None
    duration_s: float | None = None
    start_s: float | None = None
    end_s: float | None = None

    @property
    def clip(self) -> Clip:
        """Its file, and the seconds of it that count. Raises UnreadableVideo: it has no file."""
        if self.path is None:
            raise UnreadableVideo(f"{self.video_id}: the video has no file.")
        return Clip(self.path, self.start_s, self.end_s)


_NOTES: ContextVar[list[str] | None] = ContextVar("notes", default=None)


@contextmanager
def noting_media() -> Iterator[list[str]]:
    """Give a list to which `read_frames` of this thread adds what is to be said of files, whoever calls it."""
    notes: list[str] = []
    token = _NOTES.set(notes)
    try:
        yield notes
    finally:
        _NOTES.reset(token)


@dataclass(frozen=True)
class Frames:
    """Frames of a video, uint8 RGB (T, H, W, 3)."""

    pixels: np.ndarray
    note: str | None
    """What is to be said of the file: a verdict, a colon and the facts."""
    places: tuple[int, ...] = ()
    """The number of each among the frames of the video."""
    total: int = 0
    """How many frames the video has."""
    fps: float = 0.0
    """How many of them are shown a second, on average; 0 where nothing tells."""


def read_frames(medium: Path | Clip, count: int = 8, sampler: str = "uniform", size: int | None = None) -> np.ndarray:
    """Return the sampled frames, uint8 RGB (T, H, W, 3) with T <= count; `size` resizes to a square (bicubic).

    Raises:
        UnreadableVideo: the file is missing, broken or has no frame, or none between the clip's times.
    """
    frames = read_frames_and_note(medium, count, sampler, size)
    notes = _NOTES.get()
    if notes is not None and frames.note:
        notes.append(frames.note)
    return frames.pixels


def read_frames_and_note(
    medium: Path | Clip, count: int = 8, sampler: str = "uniform", size: int | None = None
) -> Frames:
    """Return the frames of `read_frames` with what is to be said of their file.

    Raises:
        UnreadableVideo: the file is missing, broken or has no frame, or none between the clip's times.
    """
    frame_sampler_and_rate(sampler)  # a name that is no sampler's is no fault of the file
    with _on_disk(medium) as clip:
        pixels, about = DECODERS.frames(clip, count, sampler, size)
    return Frames(pixels, about["note"], tuple(about["places"]), about["total"], about["fps"])


def read_sound(medium: Path | Clip, hz: int) -> np.ndarray:
    """Return the sound of a video, float32 (N,) from -1 to 1, mono, `hz` samples a second; none where it has none.

    Raises:
        UnreadableVideo: the file is missing or cannot be opened.
    """
    with _on_disk(medium) as clip:
        return DECODERS.sound(clip, hz).astype(np.float32) / 32_768


def probe_medium(medium: Path | Clip) -> VideoInfo:
    """Return what there is of a file, or between the times of a clip, by its packets and the first frame decoded.

    Raises:
        UnreadableVideo: the file is missing, broken or has no video, or no frame between the clip's times.
    """
    with _on_disk(medium) as clip:
        return DECODERS.info(clip)


def find_shots(medium: Path, threshold: float, duration_s: float) -> list[float]:
    """Return the seconds at which a new shot begins in a film of so many seconds, rising.

    Raises:
        UnreadableVideo: it cannot be decoded.
    """
    with _on_disk(medium) as clip, ThreadPoolExecutor(DECODERS.most) as pool:
        pieces = [Clip(clip.path, *times) for times in shot_detection_film_pieces(duration_s)]
        found = list(pool.map(lambda piece: DECODERS.cuts(piece, threshold), pieces))
    return sorted({time for cuts in found for time in cuts})


def cut_video(medium: Path | Clip, out: Path) -> None:
    """Write what a player shows of a clip to an MP4 file of its own, whole or not at all.

    Raises:
        UnreadableVideo: it has no frame that can be decoded.
    """
    beside = out.with_name(f".{out.name}.part")
    try:
        with _on_disk(medium) as clip:
            DECODERS.cut(clip, beside)
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _on_disk(medium: Path | Clip) -> Iterator[Clip]:
    """Give a clip of a file of this machine: of an address one of a copy."""
    clip = as_clip(medium)
    if not is_remote(clip.path):
        yield clip
        return
    if not clip.path.is_file():
        raise UnreadableVideo(f"{clip.path}: no such file.", "missing")
    with local_file_of_address(clip.path) as here:
        try:
            yield replace(clip, path=here)
        except UnreadableVideo as error:
            raise UnreadableVideo(str(error).replace(str(here), str(clip.path)), error.verdict) from None


def write_mp4(path: Path, frames: np.ndarray, fps: int = 12) -> None:
    """Write uint8 RGB frames (T, H, W, 3) as H.264; equal frames give equal bytes on one version of PyAV."""
    import av

    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise ValueError(f"frames must be uint8 (T, H, W, 3), got {frames.dtype} {frames.shape}.")
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "20", "preset": "veryfast", "threads": "1"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = fractions.Fraction(1, fps)
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def jpeg_bytes(frame: np.ndarray, *, longest_side: int | None = None, quality: int = 90) -> bytes:
    """Return a frame, uint8 (H, W, 3), as JPEG; one with a longer side is shrunk."""
    from PIL import Image

    image = Image.fromarray(frame)
    if longest_side is not None:
        image.thumbnail((longest_side, longest_side), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def jpeg_data_uri(jpeg: bytes) -> str:
    """Return JPEG as an address that holds it, as servers and pages take pictures."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")

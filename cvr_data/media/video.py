"""A video, the one frame sampler and the one decoder (PyAV).

An image is a video of one frame, and a clip one of the frames between two times of its file. `read_frames` gives RGB
and decodes no more than the wanted frames need (`cvr_data.media.frame_decoding`).
"""

import fractions
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cvr_data.core.errors import CvrError, did_you_mean, first_line
from cvr_data.core.places import local_file
from cvr_data.media.clip import Clip, as_clip
from cvr_data.media.frame_decoding import decode_frames, find_frames

if TYPE_CHECKING:
    from av.container import InputContainer

Found = TypeVar("Found")
SAMPLERS = ("uniform", "middle", "first", "per-second")
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
VIDEO_SUFFIXES = {".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".gif"}


class UnreadableVideo(CvrError):
    """A media file that is missing, broken or without a frame."""


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
        """Its file, and the seconds of it that count.

        Raises:
            UnreadableVideo: it has no file.
        """
        if self.path is None:
            raise UnreadableVideo(f"{self.video_id}: the video has no file.")
        return Clip(self.path, self.start_s, self.end_s)


@dataclass(frozen=True)
class VideoInfo:
    """What a container says of its video stream, or of a clip's part of it."""

    duration_s: float
    fps: float
    frames: int
    width: int
    height: int


def sample_indices(total: int, count: int, sampler: str = "uniform", fps: float = 0.0) -> np.ndarray:
    """Return the frame numbers to decode, rising, at most `count` of `total`.

    uniform takes the middle of each of `count` equal segments, as CoVR does with 15
    (https://github.com/lucas-ventura/CoVR): boundaries b = int(linspace(0, total, n + 1)), index (b_k + b_k+1 - 1) //
    2. per-second takes one frame per second of `fps`, and of more than `count` an even spread with the first and the
    last, as DRL does (https://github.com/foolwood/DRL); its stride of 0 at less than half a frame per second is 1 here.

    Raises:
        CvrError: unknown sampler.
        ValueError: nothing to sample, or per-second without a frame rate.
    """
    if total < 1 or count < 1:
        raise ValueError(f"total and count must be at least 1, got {total} and {count}.")
    if sampler == "middle":
        return np.array([total // 2])
    if sampler == "first":
        return np.arange(min(count, total))
    if sampler == "per-second":
        return _every_second(total, count, fps)
    if sampler != "uniform":
        raise CvrError(f"Unknown sampler {sampler!r}. {did_you_mean(sampler, SAMPLERS)}")
    bounds = np.linspace(0, total, min(count, total) + 1).astype(np.int64)
    return (bounds[:-1] + bounds[1:] - 1) // 2


def _every_second(total: int, count: int, fps: float) -> np.ndarray:
    if fps <= 0:
        raise ValueError("the frame rate is unknown, so no frame can be taken per second")
    positions = np.arange(0, total, max(1, round(fps)))
    if len(positions) <= count:
        return positions
    return positions[np.linspace(0, len(positions) - 1, count).astype(np.int64)]


def _on_disk(look: Callable[..., Found]) -> Callable[..., Found]:
    """Return a function of a medium that is given one of this machine: for an address a copy of it."""

    @wraps(look)
    def looked(medium: Path | Clip, *given: Any, **named: Any) -> Found:
        clip = as_clip(medium)
        if not clip.path.is_file():
            raise UnreadableVideo(f"{clip.path}: no such file.")
        with local_file(clip.path) as here:
            try:
                return look(replace(clip, path=here), *given, **named)
            except UnreadableVideo as error:
                raise UnreadableVideo(str(error).replace(str(here), str(clip.path))) from None

    return looked


@_on_disk
def read_frames(medium: Path | Clip, count: int = 8, sampler: str = "uniform", size: int | None = None) -> np.ndarray:
    """Return the sampled frames, uint8 RGB (T, H, W, 3) with T <= count; `size` resizes to a square (bicubic).

    Raises:
        UnreadableVideo: the file is missing, broken or has no frame, or none between the clip's times.
    """
    clip = as_clip(medium)
    if clip.path.suffix.lower() in IMAGE_SUFFIXES:
        return _read_image(clip, size)
    import av

    try:
        frames = _decode(clip, count, sampler, size)
    except (av.FFmpegError, ValueError) as error:
        raise UnreadableVideo(f"{clip.path}: cannot be decoded ({_reason(error)}).") from None
    if not frames:
        raise UnreadableVideo(f"{clip.path}: no frame could be decoded.")
    return np.stack(frames)


@_on_disk
def probe(medium: Path | Clip) -> VideoInfo:
    """Return what the container says, counting frames where it does not say; of a clip, what is between its times.

    Raises:
        UnreadableVideo: the file is missing, broken or has no video stream, or no frame between the clip's times.
    """
    import av

    clip = as_clip(medium)
    try:
        with av.open(str(clip.path)) as container:
            if not container.streams.video:
                raise UnreadableVideo(f"{clip.path}: no video stream.")
            stream = container.streams.video[0]
            size = stream.codec_context.width, stream.codec_context.height
            fps = float(stream.average_rate or 0)
            frames = _count_frames(clip, container)
            duration_s = (
                float(container.duration / av.time_base) if container.duration else (frames / fps if fps else 0.0)
            )
            return VideoInfo(_duration_s(clip, duration_s), fps, frames, *size)
    except (av.FFmpegError, ValueError) as error:
        raise UnreadableVideo(f"{clip.path}: cannot be opened ({_reason(error)}).") from None


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


def _decode(clip: Clip, count: int, sampler: str, size: int | None) -> list[np.ndarray]:
    import av
    from av.video.reformatter import VideoReformatter

    with av.open(str(clip.path)) as container:
        if not container.streams.video:
            raise UnreadableVideo(f"{clip.path}: no video stream.")
        fps = float(container.streams.video[0].average_rate or 0)
        found = find_frames(container, clip)
    if not found.count:
        raise _without_frames(clip)
    wanted = (found.first + sample_indices(found.count, count, sampler, fps)).tolist()
    reformatter = VideoReformatter()
    return [
        reformatter.reformat(frame, size, size, "rgb24", interpolation="BICUBIC" if size else None).to_ndarray()
        for frame in decode_frames(clip.path, wanted, found.listing)
    ]


def _count_frames(clip: Clip, container: "InputContainer") -> int:
    stream = container.streams.video[0]
    if clip.is_whole and stream.frames:
        return stream.frames
    total = find_frames(container, clip).count
    if not total:
        raise _without_frames(clip)
    return total


def _duration_s(clip: Clip, file_s: float) -> float:
    """How long a clip of a file of so many seconds is; a clip may say that it ends later than the file does."""
    if clip.is_whole:
        return file_s
    end_s = file_s if clip.end_s is None else min(clip.end_s, file_s or clip.end_s)
    return max(0.0, round(end_s - (clip.start_s or 0.0), 6))


def _without_frames(clip: Clip) -> UnreadableVideo:
    return UnreadableVideo(f"{clip}: the video stream has no frame{'' if clip.is_whole else ' there'}.")


def jpeg_bytes(frame: np.ndarray, *, longest_side: int | None = None, quality: int = 90) -> bytes:
    """Return a frame, uint8 (H, W, 3), as JPEG; one with a longer side is shrunk."""
    from PIL import Image

    image = Image.fromarray(frame)
    if longest_side is not None:
        image.thumbnail((longest_side, longest_side), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _read_image(clip: Clip, size: int | None) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    if not clip.is_whole:
        raise UnreadableVideo(f"{clip}: an image has no times.")
    try:
        with Image.open(clip.path) as image:
            rgb = image.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise UnreadableVideo(f"{clip.path}: cannot be decoded ({_reason(error)}).") from None
    if size is not None:
        rgb = rgb.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(rgb)[None]


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or first_line(error)

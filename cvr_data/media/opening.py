"""Opens one file with FFmpeg, and nothing that it names; finds its video as FFmpeg and players choose it.

A cover is no video. It is known by its mark, or as a lone picture beside sound, where the container has no mark for it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cvr_data.core.errors import first_line
from cvr_data.core.reading import check_plain
from cvr_data.media.limits import FORMATS, Limits
from cvr_data.media.verdict import UnreadableVideo

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext

PICTURE_CODECS = frozenset({"mjpeg", "png", "bmp", "webp", "tiff", "gif", "jpeg2000", "jpegls", "ppm"})
WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Codec -> the decoder that also reads the transparency that WebM and Matroska keep beside its packets."""
SCRIPTS = (b"ffconcat", b"#EXTM3U", b"[playlist]", b"<MPD", b"<smil", b"v=0\r\n", b"v=0\n", b";FFMETADATA")
"""How files begin that name others."""
HEAD = 4096
COVER, DEFAULT = 0x400 | 0x800, 0x1
"""Bits of FFmpeg's disposition: an attached picture or a thumbnail, and what is meant to be shown."""


@dataclass(frozen=True)
class Opened:
    """A container and its video."""

    container: "InputContainer"
    stream: "VideoStream"

    def decoder(self) -> "VideoCodecContext":
        """Return what decodes its packets, on one thread: libvpx where FFmpeg's own leaves transparency out."""
        import av

        context = self.stream.codec_context
        if context.name in WITH_ALPHA and self.stream.metadata.get("alpha_mode") == "1":
            seeing = cast("VideoCodecContext", av.CodecContext.create(WITH_ALPHA[context.name], "r"))
            seeing.extradata = context.extradata
            context = seeing
        context.thread_count = 1
        return context


def media_file_head(path: Path) -> bytes:
    """Return how a plain file begins.

    Raises:
        UnreadableVideo: there is none, it is no plain file, or it is a script or playlist.
    """
    try:
        check_plain(path)
        if not path.is_file():
            raise UnreadableVideo("a folder, no file" if path.is_dir() else "no such file")
        with path.open("rb") as file:
            head = file.read(HEAD)
    except UnreadableVideo:
        raise
    except PermissionError:
        raise UnreadableVideo("no permission to read it", "forbidden") from None
    except Exception as error:  # a name that no system takes, a loop of links, a device: whatever is wrong with it
        raise UnreadableVideo(str(getattr(error, "strerror", None) or first_line(error)).rstrip(".")) from None
    if not head:
        raise UnreadableVideo("cannot be opened (it is empty)")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<?xml"):
        start = start.partition(b"?>")[2].lstrip()
    if start.startswith(SCRIPTS):
        raise UnreadableVideo("a script or playlist that names other files, no medium")
    return head


@contextmanager
def open_container(source: Path | Any, limits: Limits) -> Iterator["InputContainer"]:
    """Open a file, or an object that reads like one; what it says of itself is never a reason to fail.

    Raises:
        av.FFmpegError: it is none of `FORMATS`.
    """
    import av

    options = {
        "format_whitelist": ",".join(FORMATS),
        "protocol_whitelist": "file" if isinstance(source, Path) else "data",
        "max_pixels": str(limits.pixels),
    }
    descriptor = None
    name: Any = source
    if isinstance(source, Path):
        name = f"file:{source}"
        try:
            name.encode()
        except UnicodeEncodeError:  # a name that is not UTF-8, which PyAV does not take
            descriptor = os.open(source, os.O_RDONLY)
            name = f"file:/dev/fd/{descriptor}"
    try:
        with av.open(name, "r", options=options, metadata_errors="replace") as container:
            yield container
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def open_video(source: Path | Any, limits: Limits) -> Iterator[Opened]:
    """Open a file and find its video.

    Raises:
        UnreadableVideo: it has none, none that can be decoded, or one of too many pixels.
        av.FFmpegError: it cannot be opened.
    """
    with open_container(source, limits) as container:
        stream = _video_of(container)
        if stream.codec_context is None:
            raise UnreadableVideo("its video has a codec that no decoder is known for")
        pixels = stream.codec_context.width * stream.codec_context.height
        if pixels > limits.pixels:
            shape = f"{stream.codec_context.width} x {stream.codec_context.height}"
            raise UnreadableVideo(f"too_large: its pictures are {shape} pixels", "too_large")
        yield Opened(container, stream)


def _video_of(container: "InputContainer") -> "VideoStream":
    streams = container.streams
    films = [stream for stream in streams.video if not stream.disposition.value & COVER]
    if not streams.video:
        if streams.audio:
            raise UnreadableVideo("audio_only: no video stream, only sound", "audio_only")
        raise UnreadableVideo("no video stream")
    moving = [stream for stream in films if not _is_picture(stream)]
    if streams.audio and not moving and not any(_has_two_frames(container, stream) for stream in films):
        raise UnreadableVideo("cover_only: no video stream, only sound and a cover", "cover_only")
    among = moving or films or list(streams.video)
    best = streams.best("video")
    chosen = [stream for stream in among if best is not None and stream.index == best.index]
    return chosen[0] if chosen else max(among, key=_stream_rank)


def _is_picture(stream: "VideoStream") -> bool:
    return stream.codec_context is not None and stream.codec_context.name in PICTURE_CODECS


def _has_two_frames(container: "InputContainer", stream: "VideoStream") -> bool:
    """Whether a stream of pictures moves; the container is read up to its second one, and is at its start again."""
    if stream.frames:
        return stream.frames > 1
    found = 0
    for packet in container.demux(stream):
        found += bool(packet.size)
        if found > 1:
            break
    container.seek(0)
    return found > 1


def _stream_rank(stream: "VideoStream") -> tuple[bool, int]:
    """As the ffmpeg program ranks streams: those that are meant to be shown, then the largest."""
    context = stream.codec_context
    pixels = context.width * context.height if context is not None else 0
    return bool(stream.disposition.value & DEFAULT), pixels

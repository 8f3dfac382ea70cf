"""Writes what a player shows of a clip to a file of its own: H.264, the times of its frames kept, sound as it is.

Equal clips give equal bytes on one version of PyAV. Sound is copied packet by packet where MP4 takes its codec.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvr_data.media.clip import Clip
from cvr_data.media.frame_decoding import frames_from
from cvr_data.media.limits import Work
from cvr_data.media.listing import Packets
from cvr_data.media.opening import Opened, open_video
from cvr_data.media.pictures import Converter, pixel_proportion
from cvr_data.media.verdict import UnreadableVideo

if TYPE_CHECKING:
    from av import AudioStream, VideoFrame
    from av.container import OutputContainer

SOUNDS = ("aac", "mp3", "ac3", "opus", "alac")
"""Codecs of sound that lie in MP4 as they are."""
QUALITY = {"crf": "18", "preset": "veryfast", "threads": "1"}


def cut_clip(clip: Clip, out: Path, work: Work) -> int:
    """Write a clip to an MP4 file and return how many frames it has.

    Raises:
        UnreadableVideo: it has no frame.
        av.FFmpegError: it cannot be read or written.
    """
    import av

    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with open_video(clip.path, work.limits) as opened, av.open(str(out), "w", format="mp4", options=options) as written:
        frames = _encoded(opened, clip, written, work)
        if not frames:
            raise UnreadableVideo(f"the video stream has no frame{'' if clip.is_whole else ' there'}")
    return frames


def _encoded(opened: Opened, clip: Clip, written: "OutputContainer", work: Work) -> int:
    import av

    tick = Fraction(opened.stream.time_base or Fraction(1, 90_000))
    rate = Fraction(opened.stream.average_rate or 25)
    convert = Converter(pixel_proportion(opened.stream), None)
    stream, sound = None, _sound_stream(opened, written)
    frames, first = 0, None
    for pts, frame in _frames(opened, clip, tick, work):
        picture = convert(frame)
        height, width = (side - side % 2 or 2 for side in picture.shape[:2])
        if stream is None:
            stream = written.add_stream("libx264", rate=rate, options=QUALITY)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.time_base = tick
            first = pts
        image = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(stream.width, stream.height, "yuv420p")
        image.pts, image.time_base = pts - (first or 0), tick
        written.mux(stream.encode(image))
        frames += 1
        work.tick()
    if stream is not None:
        written.mux(stream.encode(None))
        if sound is not None:
            _copy_sound(clip, written, sound, work)
    return frames


def _frames(opened: Opened, clip: Clip, tick: Fraction, work: Work) -> Iterator[tuple[int, "VideoFrame"]]:
    """The frames shown between the clip's times, with their timestamps."""
    origin = Fraction(opened.container.start_time or 0, 1_000_000)
    start, end = (None if time is None else origin + Fraction(str(time)) for time in (clip.start_s, clip.end_s))
    latest = None
    for frame in frames_from(opened, clip.start_s or 0.0, work):
        if frame.pts is None or (latest is not None and frame.pts <= latest):
            continue
        latest = frame.pts
        if end is not None and frame.pts * tick >= end:
            return
        if start is None or frame.pts * tick >= start:
            yield frame.pts, frame


def _sound_stream(opened: Opened, written: "OutputContainer") -> "tuple[AudioStream, Any] | None":
    for stream in opened.container.streams.audio:
        if stream.codec_context is not None and stream.codec_context.name in SOUNDS:
            return stream, written.add_stream_from_template(stream)
    return None


def _copy_sound(clip: Clip, written: "OutputContainer", sound: "tuple[AudioStream, Any]", work: Work) -> None:
    given, taken = sound
    with open_video(clip.path, work.limits) as again:
        origin = Fraction(again.container.start_time or 0, 1_000_000)
        start, end = (origin + Fraction(str(time or 0)) for time in (clip.start_s, clip.end_s))
        stream = again.container.streams[given.index]
        tick = Fraction(stream.time_base or 1)
        if clip.start_s:
            again.container.seek(int(start * 1_000_000))
        shift = round(start / tick)
        for packet in Packets(again.container.demux(stream), work):
            at = packet.pts
            if at is None or at * tick < start:
                continue
            if clip.end_s is not None and at * tick >= end:
                return
            packet.pts, packet.dts, packet.stream = at - shift, at - shift, taken
            written.mux(packet)

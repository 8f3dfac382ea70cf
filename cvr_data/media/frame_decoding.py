"""Decodes chosen frames of a video stream, and of the other packets only those that these are predicted from.

The packets are read first, without decoding: their timestamps tell which packet is which frame. A wanted frame needs
the packets from the keyframe before it up to its own; where those of two frames overlap or touch, decoding goes on, and
elsewhere it starts anew at the keyframe. So no packet is decoded twice, and never more than by decoding everything.
Frames that nothing is predicted from are skipped too, unless wanted. A stream whose timestamps do not tell enough
(none, twice the same, no keyframe at the start, a codec with hidden frames) is decoded from its start up to the last
wanted frame.

Of a clip only the packets from the keyframe before it are read, so that clips of a long recording cost no more than
files of their own. Where timestamps do not tell the frames apart, the frame rate says which lie between two times.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from cvr_data.media.clip import Clip

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext

ONE_FRAME_PER_PACKET = frozenset({"av1", "h264", "hevc", "mjpeg", "vp9"})
"""Codecs, as FFmpeg names them, in which each timestamp of a packet is that of one shown frame."""


@dataclass(frozen=True)
class Listing:
    """What the packets of a stream say without being decoded."""

    count: int
    """Packets with data: the frames of the stream."""
    pts: list[int] | None
    """Timestamp of each packet, in the order of decoding; None where they do not tell the frames apart."""
    keyframes: list[int]
    """Positions, in the order of decoding, where decoding can start."""
    sought: int | None = None
    """The timestamp that was sought before reading; None: the packets are all from the file's start on."""


@dataclass(frozen=True)
class ClipFrames:
    """Which frames of a listing are a clip's: `count` of them from number `first` on."""

    listing: Listing
    first: int
    count: int


@dataclass(frozen=True)
class FrameRun:
    """Packets to decode one after another, from a keyframe on."""

    first: int
    last: int
    wanted: frozenset[int]
    """Timestamps of the frames to keep."""


def find_frames(container: "InputContainer", clip: Clip) -> ClipFrames:
    """Return the frames of a clip: those shown from its start on and before its end; none where it lies outside.

    Raises:
        ValueError: neither timestamps nor a frame rate tell when a frame is shown.
    """
    if clip.is_whole:
        listing = list_packets(container)
        return ClipFrames(listing, 0, listing.count)
    stream = container.streams.video[0]
    second = 1 / Fraction(stream.time_base or 1)
    origin = round(Fraction(container.start_time or 0, 1_000_000) * second)
    start, end = (
        None if time is None else origin + math.ceil(Fraction(str(time)) * second)
        for time in (clip.start_s, clip.end_s)
    )
    listing = _list_near(container, start, end, math.ceil(second))
    if listing.pts is not None:
        shown = sorted(listing.pts)
        first = 0 if start is None else bisect_left(shown, start)
        last = len(shown) if end is None else bisect_left(shown, end)
        return ClipFrames(listing, first, max(0, last - first))
    if not stream.average_rate:
        raise ValueError("the frame rate is unknown, so no time can be found")
    first, last = (
        otherwise if time is None else min(listing.count, math.ceil(Fraction(str(time)) * stream.average_rate))
        for time, otherwise in ((clip.start_s, 0), (clip.end_s, listing.count))
    )
    return ClipFrames(listing, first, max(0, last - first))


def list_packets(container: "InputContainer") -> Listing:
    """Return what the packets of the first video stream say; the container is read to its end."""
    return _listing(container, container.demux(container.streams.video[0]), None)


def _list_near(container: "InputContainer", start: int | None, end: int | None, second: int) -> Listing:
    """The packets that frames from timestamp `start` up to `end` need, or all where it takes these to tell."""
    import av

    stream = container.streams.video[0]
    for back in (0, second, 8 * second):
        if start is None:
            break
        sought = start - back
        container.seek(sought, stream=stream)
        packets = container.demux(stream)
        first = next(packets, None)
        # A keyframe may be decoded before the time sought, and shown after it: then the one before is needed.
        if first is not None and first.size and first.pts is not None and first.pts <= start:
            listing = replace(_listing(container, chain([first], packets), end), sought=sought)
            if listing.pts is not None:
                return listing
            break
    with av.open(container.name) as again:  # seeking back to the start skips packets of a transport stream
        return list_packets(again)


def _listing(container: "InputContainer", packets: Iterator["Packet"], end: int | None) -> Listing:
    """What packets say, up to the first that is decoded at timestamp `end` or later: no earlier frame follows."""
    pts: list[int | None] = []
    keyframes: list[int] = []
    whole = container.streams.video[0].codec_context.name in ONE_FRAME_PER_PACKET
    for packet in packets:
        if not packet.size:
            continue
        if end is not None and packet.dts is not None and packet.dts >= end:
            break
        if packet.is_keyframe:
            keyframes.append(len(pts))
        whole = whole and not (packet.is_discard or packet.is_corrupt)
        pts.append(packet.pts)
    known = [each for each in pts if each is not None]
    told = whole and keyframes[:1] == [0] and len(set(known)) == len(pts)
    return Listing(len(pts), known if told else None, keyframes)


def plan(listing: Listing, indices: Sequence[int]) -> list[FrameRun] | None:
    """Return the packets to decode for frames of these numbers; None where only decoding from the start is safe."""
    if listing.pts is None:
        return None
    shown = sorted(range(listing.count), key=listing.pts.__getitem__)
    starts = sorted((listing.pts[position], position) for position in listing.keyframes)
    runs: list[FrameRun] = []
    spans = []
    for index in indices:
        last = shown[index]
        at = bisect_right(starts, (listing.pts[last], last)) - 1
        if at < 0 or starts[at][1] > last:
            return None
        spans.append((starts[at][1], last, listing.pts[last]))
    for first, last, pts in sorted(spans):
        if runs and first <= runs[-1].last + 1:
            before = runs.pop()
            runs.append(FrameRun(before.first, max(before.last, last), before.wanted | {pts}))
        else:
            runs.append(FrameRun(first, last, frozenset({pts})))
    return runs


def decode_frames(path: Path, indices: Sequence[int], listing: Listing) -> Iterator["VideoFrame"]:
    """Yield the frames of these numbers, rising; fewer where the stream ends early.

    Raises:
        av.FFmpegError: a packet cannot be decoded.
    """
    import av

    runs = plan(listing, indices)
    if runs is not None:
        try:
            frames = _decode_runs(path, runs, listing.sought)
        except av.FFmpegError:
            frames = {}
        if len(frames) == len(indices):
            yield from (frames[pts] for pts in sorted(frames))
            return
    if listing.sought is None or listing.pts is None:
        yield from _decode_from_start(path, frozenset(indices))
    else:
        shown = sorted(listing.pts)
        yield from _decode_from_start(path, frozenset(shown[index] for index in indices), by_pts=True)


def _decode_runs(path: Path, runs: Sequence[FrameRun], sought: int | None) -> dict[int, "VideoFrame"]:
    """Return the wanted frames by timestamp, as far as the decoder gives them."""
    import av

    found: dict[int, VideoFrame] = {}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        context.thread_count = 1  # videos are decoded side by side, and threads of one would take the network's cores
        if sought is not None:
            container.seek(sought, stream=stream)
        packets = enumerate(packet for packet in container.demux(stream) if packet.size)
        for run in runs:
            for position, packet in packets:
                if position >= run.first:
                    context.skip_frame = "DEFAULT" if packet.pts in run.wanted else "NONREF"
                    _keep(found, run, packet, context)
                if position == run.last:
                    break
            _keep(found, run, None, context)
            context.flush_buffers()
    return found


def _keep(found: dict[int, "VideoFrame"], run: FrameRun, packet: "Packet | None", context: "VideoCodecContext") -> None:
    for frame in context.decode(packet):
        if frame.pts in run.wanted:
            found[frame.pts] = frame


def _decode_from_start(path: Path, wanted: frozenset[int], *, by_pts: bool = False) -> Iterator["VideoFrame"]:
    """Yield the frames of these numbers, or of these timestamps."""
    import av

    left = len(wanted)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for number, frame in enumerate(container.decode(stream)):
            if (frame.pts if by_pts else number) in wanted:
                yield frame
                left -= 1
                if not left:
                    return

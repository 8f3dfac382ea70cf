"""Decodes chosen frames of a video stream, and of the other packets only those that these are predicted from.

The packets are read first, without decoding: their timestamps tell which packet is which frame. A wanted frame needs
the packets from the keyframe before it up to its own; where those of two frames overlap or touch, decoding goes on, and
elsewhere it starts anew at the keyframe. So no packet is decoded twice, and never more than by decoding everything.
Frames that nothing is predicted from are skipped too, unless wanted. A stream whose timestamps do not tell enough
(none, twice the same, no keyframe at the start, a codec with hidden frames) is decoded from its start up to the last
wanted frame.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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


@dataclass(frozen=True)
class FrameRun:
    """Packets to decode one after another, from a keyframe on."""

    first: int
    last: int
    wanted: frozenset[int]
    """Timestamps of the frames to keep."""


def list_packets(container: "InputContainer") -> Listing:
    """Return what the packets of the first video stream say; the container is read to its end."""
    stream = container.streams.video[0]
    pts: list[int | None] = []
    keyframes: list[int] = []
    whole = stream.codec_context.name in ONE_FRAME_PER_PACKET
    for packet in container.demux(stream):
        if not packet.size:
            continue
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
            frames = _decode_runs(path, runs)
        except av.FFmpegError:
            frames = {}
        if len(frames) == len(indices):
            yield from (frames[pts] for pts in sorted(frames))
            return
    yield from _decode_from_start(path, indices)


def _decode_runs(path: Path, runs: Sequence[FrameRun]) -> dict[int, "VideoFrame"]:
    """Return the wanted frames by timestamp, as far as the decoder gives them."""
    import av

    found: dict[int, VideoFrame] = {}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        context.thread_count = 1  # videos are decoded side by side, and threads of one would take the network's cores
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


def _decode_from_start(path: Path, indices: Sequence[int]) -> Iterator["VideoFrame"]:
    import av

    remaining = set(indices)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for index, frame in enumerate(container.decode(stream)):
            if index in remaining:
                yield frame
                remaining.discard(index)
                if not remaining:
                    return

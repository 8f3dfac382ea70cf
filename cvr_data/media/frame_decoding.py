"""Decodes chosen frames of a video stream, and of the other packets only those that these are predicted from.

The packets are read first, without decoding: their timestamps tell which packet is which frame. A wanted frame needs
the packets from the keyframe before it up to its own; where those of two frames overlap or touch, decoding goes on, and
elsewhere it starts anew at the keyframe. So no packet is decoded twice, and never more than by decoding everything.
Frames that nothing is predicted from are skipped too, unless wanted. A stream whose timestamps do not tell enough
(none, twice the same, no keyframe at the start, a codec with hidden frames) is decoded from its start up to the last
wanted frame.

A packet that an edit list hides, or that the file ends in, is no frame; one that cannot be decoded costs its own frame
and those predicted from it.

Of a clip only the packets from the keyframe before it are read, so that clips of a long recording cost no more than
files of their own. Where timestamps do not tell the frames apart, the frame rate says which lie between two times.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING

from cvr_data.media.clip import Clip
from cvr_data.media.limits import Work
from cvr_data.media.listing import ClipFrames, FrameRun, Listing, Packets, list_packets_until
from cvr_data.media.opening import Opened, open_video

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.video.codeccontext import VideoCodecContext

Found = dict[int, "VideoFrame"]
"""Number of a frame in its listing -> the frame."""


def find_frames(opened: Opened, clip: Clip, work: Work) -> ClipFrames:
    """Return the frames of a clip: those shown from its start on and before its end; none where it lies outside.

    Raises:
        UnreadableVideo: there are too many.
        ValueError: neither timestamps nor a frame rate tell when a frame is shown.
    """
    if clip.is_whole:
        listing = list_packets(opened, work)
        return ClipFrames(listing, 0, listing.frames)
    stream = opened.stream
    second = 1 / Fraction(stream.time_base or 1)
    origin = round(Fraction(opened.container.start_time or 0, 1_000_000) * second)
    start, end = (
        None if time is None else origin + math.ceil(Fraction(str(time)) * second)
        for time in (clip.start_s, clip.end_s)
    )
    listing = _list_near(opened, clip, start, end, work)
    if listing.pts is not None and listing.times is not None:
        first = 0 if start is None else bisect_left(listing.times, start)
        last = listing.frames if end is None else bisect_left(listing.times, end)
        return ClipFrames(listing, first, max(0, last - first))
    if not stream.average_rate:
        raise ValueError("the frame rate is unknown, so no time can be found")
    first, last = (
        otherwise if time is None else min(listing.frames, math.ceil(Fraction(str(time)) * stream.average_rate))
        for time, otherwise in ((clip.start_s, 0), (clip.end_s, listing.frames))
    )
    return ClipFrames(listing, first, max(0, last - first))


def list_packets(opened: Opened, work: Work) -> Listing:
    """Return what the packets of a video say; the container is read to its end."""
    return list_packets_until(opened, opened.container.demux(opened.stream), None, work)


def _list_near(opened: Opened, clip: Clip, start: int | None, end: int | None, work: Work) -> Listing:
    """The packets that frames from timestamp `start` up to `end` need, or all where it takes these to tell."""
    container, stream = opened.container, opened.stream
    second = math.ceil(1 / Fraction(stream.time_base or 1))
    for back in (0, second, 8 * second):
        if start is None:
            break
        sought = start - back
        container.seek(sought, stream=stream)
        packets = container.demux(stream)
        first = next(packets, None)
        # A keyframe may be decoded before the time sought, and shown after it: then the one before is needed.
        if first is not None and first.size and first.pts is not None and first.pts <= start:
            listing = replace(list_packets_until(opened, chain([first], packets), end, work), sought=sought)
            if listing.pts is not None:
                return listing
            break
    with open_video(clip.path, work.limits) as again:  # seeking back to the start skips packets of a transport stream
        return list_packets(again, work)


def packets_to_decode(listing: Listing, indices: Sequence[int]) -> list[FrameRun] | None:
    """Return the packets to decode for frames of these numbers; None where only decoding from the start is safe."""
    if listing.pts is None or listing.is_unsound:
        return None
    shown = listing.shown
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


def decode_frames(clip: Clip, indices: Sequence[int], listing: Listing, work: Work) -> Found:
    """Return the frames of these numbers, rising and each once; fewer where some cannot be decoded."""
    import av

    runs = packets_to_decode(listing, indices)
    if runs is not None:
        try:
            frames = _decode_runs(clip, runs, listing.sought, work)
        except av.FFmpegError:
            frames = {}
        if len(frames) == len(indices):
            return {index: frames[pts] for index, pts in zip(indices, sorted(frames), strict=True)}
    found: Found = {}
    wanted = frozenset(indices)

    def keep(number: int, frame: "VideoFrame") -> bool:
        if number in wanted:
            found[number] = frame
        return len(found) < len(wanted)

    decode_all(clip, listing, keep, work)
    return found


def decode_all(clip: Clip, listing: Listing, take: Callable[[int, "VideoFrame"], bool], work: Work) -> None:
    """Give each frame that can be decoded to `take`, with its number in the listing, until that returns false.

    One thread decodes: those of one video, which is decoded beside others, would take the network's cores, and on some
    damaged files they wait for each other for ever.
    """
    by_pts = None
    if listing.pts is not None and listing.times is not None:
        by_pts = {pts: number for number, pts in enumerate(listing.times)}
    with open_video(clip.path, work.limits) as opened:
        for count, frame in enumerate(frames_from(opened, 0.0, work)):
            number = count if by_pts is None else None if frame.pts is None else by_pts.get(frame.pts)
            if number is not None and not take(number, frame):
                return


def frames_from(opened: Opened, start_s: float, work: Work) -> Iterator["VideoFrame"]:
    """Yield the frames that can be decoded, from the keyframe before a second on, or from the start."""
    import av

    container, context = opened.container, opened.decoder()
    if start_s > 0:
        container.seek((container.start_time or 0) + int(start_s * 1_000_000))
    for packet in chain(Packets(container.demux(opened.stream), work), [None]):
        try:
            frames = context.decode(packet)
        except av.EOFError:
            return
        except av.FFmpegError:
            continue
        yield from frames


def _decode_runs(clip: Clip, runs: Sequence[FrameRun], sought: int | None, work: Work) -> dict[int, "VideoFrame"]:
    """Return the wanted frames by timestamp, as far as the decoder gives them."""
    found: dict[int, VideoFrame] = {}
    with open_video(clip.path, work.limits) as opened:
        context = opened.decoder()
        if sought is not None:
            opened.container.seek(sought, stream=opened.stream)
        packets = enumerate(Packets(opened.container.demux(opened.stream), work))
        for run in runs:
            for position, packet in packets:
                if position >= run.first:
                    context.skip_frame = "DEFAULT" if packet.pts in run.wanted else "NONREF"
                    _keep_frame(found, run, packet, context)
                if position == run.last:
                    break
            _keep_frame(found, run, None, context)
            context.flush_buffers()
    return found


def _keep_frame(
    found: dict[int, "VideoFrame"], run: FrameRun, packet: "Packet | None", context: "VideoCodecContext"
) -> None:
    for frame in context.decode(packet):
        if frame.pts in run.wanted:
            found[frame.pts] = frame

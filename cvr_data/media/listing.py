"""What packets of a video say before any is decoded: how many frames there are, when each is shown, what is lost."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from cvr_data.media.limits import Work
from cvr_data.media.opening import Opened
from cvr_data.media.verdict import UnreadableVideo

if TYPE_CHECKING:
    from av import Packet
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

LENGTH = struct.Struct(">I").unpack_from
Check = Callable[[memoryview], bool]
PICTURES = {"h264": (0, range(1, 6)), "hevc": (1, range(32))}
"""Codec -> bits behind the type in a unit's first byte, and the types that hold a part of a picture."""
TYPE_BITS = (0b11111, 0b111111)
"""Of the type, by the bits behind it."""

ONE_FRAME_PER_PACKET = frozenset({"av1", "h264", "hevc", "mjpeg", "vp9"})
"""Codecs, as FFmpeg names them, in which each timestamp of a packet is that of one shown frame."""
SIGNS = 64
"""Packets from one sign of life to the next, which is a call of the system."""


@dataclass(frozen=True)
class Listing:
    """What the packets of a stream say without being decoded."""

    count: int
    """Packets with data."""
    pts: list[int] | None
    """Timestamp of each packet, in the order of decoding; None where they do not tell the frames apart."""
    keyframes: list[int]
    """Positions, in the order of decoding, where decoding can start."""
    sought: int | None = None
    """The timestamp that was sought before reading; None: the packets are all from the file's start on."""
    hidden: frozenset[int] = frozenset()
    """Positions of packets that an edit list keeps from being shown."""
    times: list[int] | None = None
    """When each frame is shown, rising; None where that is not known."""
    last: int = 0
    """How long the last one is shown; 0 where that is not known."""
    is_unsound: bool = False
    """Whether a packet looks like nothing that the codec writes, or the packets could not be read to their end."""
    is_cut: bool = False
    """Whether the file ends within a packet, which is not counted."""
    is_checked: bool = True
    """Whether it is known what packets of this codec look like."""

    @property
    def frames(self) -> int:
        """Return how many frames are shown."""
        return self.count - len(self.hidden)

    @property
    def shown(self) -> list[int]:
        """Return the positions of the packets of the shown frames, in the order in which they are shown."""
        assert self.pts is not None
        positions = (position for position in range(self.count) if position not in self.hidden)
        return sorted(positions, key=self.pts.__getitem__)


@dataclass(frozen=True)
class ClipFrames:
    """Which frames of a listing are a clip's: `count` of them from number `first` on."""

    listing: Listing
    first: int
    count: int

    @property
    def times(self) -> list[int] | None:
        """Return when each of them is shown, if that is known."""
        times = self.listing.times
        return None if times is None else times[self.first : self.first + self.count]


@dataclass(frozen=True)
class FrameRun:
    """Packets to decode one after another, from a keyframe on."""

    first: int
    last: int
    wanted: frozenset[int]
    """Timestamps of the frames to keep."""


@dataclass
class Packets:
    """The packets with data, up to where they can be read."""

    packets: Iterator["Packet"]
    work: Work
    is_broken: bool = False

    def __iter__(self) -> Iterator["Packet"]:
        import av

        try:
            for number, packet in enumerate(self.packets):
                if not number % SIGNS:
                    self.work.tick()
                if packet.size:
                    yield packet
        except av.FFmpegError:
            self.is_broken = True


@dataclass
class _Seen:
    """What was gathered from packets so far."""

    pts: list[int | None] = field(default_factory=list)
    keyframes: list[int] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    corrupt: list[int] = field(default_factory=list)
    last: int = 0
    is_sound: bool = True

    def add_all(self, packets: Iterator["Packet"], end: int | None, check: Check | None, most: int) -> None:
        """Take packets, up to the first that is decoded at timestamp `end` or later; a loop of microseconds.

        Raises:
            UnreadableVideo: there are more than `most`.
        """
        taken, latest, last, is_sound = self.pts, None, 0, True
        for packet in packets:
            if end is not None and packet.dts is not None and packet.dts >= end:
                break
            if packet.is_keyframe:
                self.keyframes.append(len(taken))
            if packet.is_discard:
                self.hidden.append(len(taken))
            if packet.is_corrupt:
                self.corrupt.append(len(taken))
            elif check is not None and is_sound:
                is_sound = check(memoryview(packet))
            pts = packet.pts
            if pts is not None and (latest is None or pts > latest):
                latest, last = pts, packet.duration or 0
            taken.append(pts)
            if len(taken) > most:
                raise UnreadableVideo(f"too_large: more than {most} frames", "too_large")
        self.last, self.is_sound = last, is_sound

    def without_last(self) -> None:
        """Forget the last packet, which the file does not hold whole."""
        position = len(self.pts) - 1
        self.pts.pop()
        self.last = 0
        for positions in (self.keyframes, self.hidden, self.corrupt):
            if positions[-1:] == [position]:
                positions.pop()


def _rises(pts: list[int]) -> bool:
    """Whether packets are timestamped as they are decoded, as AVI does, whatever order their frames are shown in."""
    return len(pts) > 1 and all(before < after for before, after in pairwise(pts))


def list_packets_until(opened: Opened, packets: Iterator["Packet"], end: int | None, work: Work) -> Listing:
    """Return what packets say, up to the first that is decoded at timestamp `end` or later: no earlier frame follows.

    Raises:
        UnreadableVideo: there are too many.
    """
    context = opened.stream.codec_context
    check = packet_check(context)
    seen = _Seen()
    read = Packets(packets, work)
    seen.add_all(iter(read), end, check, work.limits.frames)
    is_cut = bool(seen.pts) and seen.corrupt[-1:] == [len(seen.pts) - 1]
    if is_cut:
        seen.without_last()
    known = [each for each in seen.pts if each is not None]
    is_told = len(set(known)) == len(seen.pts)
    is_whole = context.name in ONE_FRAME_PER_PACKET and not seen.corrupt and seen.keyframes[:1] == [0]
    is_whole = is_whole and not (context.has_b_frames and _rises(known))
    hidden = frozenset(seen.hidden)
    times = sorted(each for position, each in enumerate(known) if position not in hidden) if is_told else None
    return Listing(
        len(seen.pts), known if is_told and is_whole else None, seen.keyframes, hidden=hidden, times=times,
        last=seen.last, is_unsound=read.is_broken or not seen.is_sound, is_cut=is_cut, is_checked=check is not None,
    )  # fmt: skip


def packet_check(context: "VideoCodecContext") -> Check | None:
    """Return a function that says whether the bytes of a packet can be one of this stream; None where none is known."""
    name = context.name
    if name in ("h264", "hevc"):
        size = _length_bytes(name, bytes(context.extradata or b""))
        return _starts_with_start_code if size is None else lambda data: _is_chain_of_units(data, size, *PICTURES[name])
    if name == "vp9":
        return lambda data: data[0] >> 6 == 0b10
    if name == "av1":
        return lambda data: not data[0] >> 7 and bool(data[0] >> 3 & 0b1111)
    if name == "mjpeg":
        return lambda data: bytes(data[:2]) == b"\xff\xd8"
    return None


def _length_bytes(name: str, extradata: bytes) -> int | None:
    """How many bytes tell the length of each unit; None where units begin with start codes."""
    at = 4 if name == "h264" else 21
    return (extradata[at] & 3) + 1 if len(extradata) > at and extradata[0] == 1 else None


def _starts_with_start_code(data: memoryview) -> bool:
    return bytes(data[:3]) == b"\0\0\1" or bytes(data[:4]) == b"\0\0\0\1"


def _is_chain_of_units(data: memoryview, size: int, shift: int, types: range) -> bool:
    """Whether units follow each other to the end, and one is of a picture; the first bit of none is ever set."""
    at, end, has_picture = 0, len(data), False
    while end - at >= 4:  # FFmpeg passes over less
        length = LENGTH(data, at)[0] if size == 4 else int.from_bytes(data[at : at + size], "big")
        first = at + size
        at = first + length
        if not length or at > end or data[first] >> 7:
            return False
        has_picture = has_picture or data[first] >> shift & TYPE_BITS[shift] in types
    return has_picture

"""Whether packets look like what their codec writes, without decoding them: a hole in a file is seen at once."""

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

"""Decoded frames as a player shows them, RGB: upright, on white where they are transparent, in their true proportions.

What swscale does well by itself is left to it. Interlaced frames, more than 8 bits and odd sides go through filters of
FFmpeg, which know fields and where chroma lies. Fields stay woven, as FFmpeg and browsers show them.
"""

# Shapes: H height, W width, C colours (red, green, blue, alpha).

import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream

PROPORTIONS = (Fraction(1, 8), Fraction(8))
"""A pixel that is said to be wider or narrower is a mistake of the file."""


class Converter:
    """Makes RGB pictures of the frames of one stream; one object serves one thread."""

    def __init__(self, proportion: Fraction, size: int | None):
        from av.video.reformatter import VideoReformatter

        self.size = size
        self.ratio = proportion
        self.reformatter, self.opaque = VideoReformatter(), VideoReformatter()
        self.kinds: dict[tuple[int, int, str, bool], _Kind] = {}

    def __call__(self, frame: "VideoFrame") -> np.ndarray:
        """Return a frame, uint8 (H, W, 3); a square of `size` if there is one."""
        matrix = _display_matrix(frame)
        kind = (frame.width, frame.height, frame.format.name, frame.interlaced_frame)
        if kind not in self.kinds:
            self.kinds[kind] = self._kind(frame)
        about = self.kinds[kind]
        if about.may_be_transparent:
            frame = self._on_white(frame)
        if about.convert is not None:
            picture = about.convert(frame)
        else:
            how = "BICUBIC" if about.shape[0] else None
            picture = self.reformatter.reformat(frame, *about.shape, "rgb24", interpolation=how, threads=1)
        return upright_picture(picture.to_ndarray(), matrix)

    def shown_size(self, frame: "VideoFrame") -> tuple[int, int]:
        """Return width and height of a frame as it is shown."""
        width = max(1, round(frame.width * self.ratio))
        return (frame.height, width) if _lies_on_its_side(_display_matrix(frame)) else (width, frame.height)

    def _on_white(self, frame: "VideoFrame") -> "VideoFrame":
        import av

        if _is_opaque(frame):
            return frame
        pixels_HWC = self.opaque.reformat(frame, format="rgba", threads=1).to_ndarray()
        if (pixels_HWC[..., 3] == 255).all():
            return frame
        return av.VideoFrame.from_ndarray(picture_on_white(pixels_HWC), format="rgb24")

    def _kind(self, frame: "VideoFrame") -> "_Kind":
        parts = frame.format.components
        width, height = self.size, self.size
        if self.size is None and (wide := max(1, round(frame.width * self.ratio))) != frame.width:
            width, height = wide, frame.height
        may_be_transparent = frame.format.has_palette or any(part.is_alpha for part in parts)
        is_deep = any(part.bits > 8 for part in parts)
        is_cut = any(frame.width % part.width or frame.height % part.height for part in parts)
        is_odd = (frame.interlaced_frame or is_deep or is_cut) and not may_be_transparent
        convert = _filter_graph(frame, width or frame.width, height or frame.height) if is_odd else None
        return _Kind((width, height), may_be_transparent, convert)


@dataclass(frozen=True)
class _Kind:
    """How frames of one size and format become pictures."""

    shape: tuple[int | None, int | None]
    may_be_transparent: bool
    convert: Callable[["VideoFrame"], "VideoFrame"] | None


def pixel_proportion(stream: "VideoStream") -> Fraction:
    """Return the width of a pixel by its height; 1 where the file says nothing that can be."""
    ratio = stream.sample_aspect_ratio
    return Fraction(ratio) if ratio and PROPORTIONS[0] <= ratio <= PROPORTIONS[1] else Fraction(1)


def upright_picture(picture_HWC: np.ndarray, matrix: tuple[int, int, int, int] | None) -> np.ndarray:
    """Return a picture turned and mirrored by a display matrix (a, b, c, d): x' = a x + c y and y' = b x + d y."""
    if matrix is None:
        return picture_HWC
    a, b, c, d = matrix
    if _lies_on_its_side(matrix):
        picture_HWC, a, d = picture_HWC.swapaxes(0, 1), c, b
    turned = picture_HWC[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(turned)


def picture_on_white(picture_HWC: np.ndarray) -> np.ndarray:
    """Return RGB (H, W, 3) of red, green, blue and alpha, uint8, laid on white."""
    alpha = picture_HWC[..., 3:].astype(np.uint16)
    mixed = picture_HWC[..., :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _is_opaque(frame: "VideoFrame") -> bool:
    """Whether no pixel is transparent, where that is seen at once: in what animations are decoded to."""
    if frame.format.name not in ("bgra", "rgba"):
        return False
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
    return bool((rows[: frame.height, 3 : 4 * frame.width : 4] == 255).all())


def _display_matrix(frame: "VideoFrame") -> tuple[int, int, int, int] | None:
    from av.sidedata.sidedata import Type

    found = frame.side_data.get(Type.DISPLAYMATRIX) if len(frame.side_data) else None  # type: ignore[call-overload]
    if found is None or len(bytes(found)) < 20:
        return None
    a, b, _, c, d = struct.unpack("<5i", bytes(found)[:20])
    return a, b, c, d


def _lies_on_its_side(matrix: tuple[int, int, int, int] | None) -> bool:
    return matrix is not None and abs(matrix[1]) + abs(matrix[2]) > abs(matrix[0]) + abs(matrix[3])


def _filter_graph(frame: "VideoFrame", width: int, height: int) -> Callable[["VideoFrame"], "VideoFrame"]:
    from av.filter import Graph

    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1_000_000)
    )
    scale = graph.add("scale", f"{width}:{height}:flags=bicubic")
    rgb, sink = graph.add("format", "rgb24"), graph.add("buffersink")
    source.link_to(scale)
    scale.link_to(rgb)
    rgb.link_to(sink)
    graph.configure()

    def convert(each: "VideoFrame") -> "VideoFrame":
        graph.push(each)
        return cast("VideoFrame", graph.pull())

    return convert

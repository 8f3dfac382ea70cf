"""Images and animations as a player shows them: turned as their EXIF says, on white, 16 bits of grey as 8."""

# Shapes: H height, W width, C colours.

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from cvr_data.media.clip import Clip
from cvr_data.media.limits import PICTURES, Work
from cvr_data.media.pictures import picture_on_white
from cvr_data.media.suffixes import IMAGE_SUFFIXES
from cvr_data.media.timeline import Sampled, sample_shown_frames
from cvr_data.media.verdict import UnreadableVideo, VideoInfo

if TYPE_CHECKING:
    from PIL.Image import Image

STILL = "still: an image"
ANIMATED = frozenset({"WEBP", "PNG", "GIF", "AVIF"})
"""Formats whose further pictures are shown one after another; those of others are previews, pages or depth maps."""
MOST_FRAMES = 100_000
FRAME_S = 0.1
"""How long a picture of an animation is shown that says nothing, or nothing above 0: what browsers do."""


def is_picture(head: bytes, suffix: str) -> bool:
    """Return whether a file that begins so is an image, whatever it is called."""
    if suffix in (".mjpeg", ".mjpg"):
        return False
    is_known = head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or head[:4] + head[8:12] == b"RIFFWEBP"
    is_film = head.startswith((b"\x1a\x45\xdf\xa3", b"RIFF", b"GIF8")) or head[4:8] in (b"ftyp", b"moov", b"mdat")
    return is_known or (suffix in IMAGE_SUFFIXES and not is_film)


def read_pictures(clip: Clip, count: int, sampler: str, size: int | None, work: Work) -> Sampled:
    """Return an image, or the sampled pictures of an animation.

    Raises:
        UnreadableVideo: it has too many pixels, or no picture between the clip's times.
        Exception: whatever Pillow raises for a broken file.
    """
    with _opened(clip, work) as image:
        times_s, last_s, numbers = _shown_pictures(clip, image, work)
        places = sample_shown_frames(times_s, last_s, count, sampler).tolist()
        wanted = [numbers[place] for place in places]
        pictures = {}
        for number in sorted(set(wanted)):
            work.tick()
            image.seek(number)
            pictures[number] = _resized(picture_of(image), size)
    length_s = float(times_s[-1] - times_s[0]) + last_s
    rate = len(numbers) / length_s if length_s else 0.0
    said = STILL if len(numbers) == 1 else None
    return Sampled([pictures[number] for number in wanted], said, places, len(numbers), rate)


def look_at_pictures(clip: Clip, work: Work) -> VideoInfo:
    """Return what there is of an image or animation, the first picture of which is decoded.

    Raises:
        UnreadableVideo: it has too many pixels, or no picture between the clip's times.
        Exception: whatever Pillow raises for a broken file.
    """
    with _opened(clip, work) as image:
        times_s, last_s, numbers = _shown_pictures(clip, image, work)
        image.seek(numbers[0])
        height, width = picture_of(image).shape[:2]
    if len(numbers) == 1:
        return VideoInfo(0.0, 0.0, 1, width, height, STILL)
    duration_s = float(times_s[-1] - times_s[0]) + last_s
    return VideoInfo(round(duration_s, 6), len(numbers) / duration_s, len(numbers), width, height)


def picture_of(image: "Image") -> np.ndarray:
    """Return RGB (H, W, 3) uint8 of an opened image, as it is shown."""
    from PIL import ImageOps

    try:
        image = ImageOps.exif_transpose(image) or image
    except (ValueError, TypeError, KeyError, SyntaxError, OverflowError, ArithmeticError):
        image.load()  # an EXIF that says nothing readable turns nothing; what is wrong with the picture is raised here
    if image.mode.startswith(("I", "F")):
        return _grey_picture(np.asarray(image))
    if image.has_transparency_data:
        return picture_on_white(np.asarray(image.convert("RGBA")))
    return np.asarray(image.convert("RGB"))


def _grey_picture(values: np.ndarray) -> np.ndarray:
    """Grey of more than 8 bits, over its full range: 65,535 is white."""
    levels = values.astype(np.float64)
    if np.issubdtype(values.dtype, np.floating):
        levels = levels * 255 if levels.max(initial=0.0) <= 1 else levels
    else:
        levels = levels / 257
    return np.repeat(np.clip(np.rint(levels), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@contextmanager
def _opened(clip: Clip, work: Work) -> Iterator["Image"]:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # `limits` say what is too large, for every kind of file alike
    with Image.open(clip.path, formats=PICTURES) as image:
        if image.width * image.height > work.limits.pixels:
            raise UnreadableVideo(f"too_large: its pictures are {image.width} x {image.height} pixels", "too_large")
        yield image


def _shown_pictures(clip: Clip, image: "Image", work: Work) -> tuple[np.ndarray, float, list[int]]:
    """When the pictures of a clip are shown, how long the last one is, and their numbers."""
    count = getattr(image, "n_frames", 1) if image.format in ANIMATED else 1
    if count == 1:
        if not clip.is_whole:
            raise UnreadableVideo("an image has no times")
        return np.zeros(1), 0.0, [0]
    if count > MOST_FRAMES:
        raise UnreadableVideo(f"too_large: more than {MOST_FRAMES} pictures", "too_large")
    lasts_s = []
    for number in range(count):
        work.tick()
        image.seek(number)
        image.load()  # only a picture that was read says how long it is shown
        lasts_s.append(float(image.info.get("duration") or 0) / 1000 or FRAME_S)
    times_s = np.concatenate([[0.0], np.cumsum(lasts_s)[:-1]])
    start_s, end_s = clip.start_s or 0.0, float("inf") if clip.end_s is None else clip.end_s
    kept = np.flatnonzero((times_s >= start_s) & (times_s < end_s))
    if not len(kept):
        raise UnreadableVideo("the animation has no picture there")
    return times_s[kept], lasts_s[int(kept[-1])], kept.tolist()


def _resized(picture_HWC: np.ndarray, size: int | None) -> np.ndarray:
    from PIL import Image

    if size is None:
        return picture_HWC
    return np.asarray(Image.fromarray(picture_HWC).resize((size, size), Image.Resampling.BICUBIC))

"""Frames to what a network takes: resize, crop and normalise with PIL, NumPy and torch; torchvision is never needed.

The resize is PIL's on bytes, which is what the published models were trained with; it runs where frames are decoded.
"""

# Shapes: T or N frames, H height, W width, C channels.

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from cvr_data.core.errors import CvrError
from cvr_data.media.video import Video, read_frames

Fit = Literal["crop", "square", "padded"]

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)
BICUBIC = int(Image.Resampling.BICUBIC)
RATIO = 1.25
"""Longest to shortest side that `padded` keeps."""


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What is done to a frame before a network sees it."""

    size: int
    """Side of the square, in pixels."""
    fit: Fit
    """crop: the shorter side becomes `size` and the middle is kept; square: squeezed, so that nothing is lost; padded:
    as crop, after black bars have brought the sides to a ratio of 1.25 at most, as CLIP4Cir does."""
    resample: int = BICUBIC
    """PIL's number of the filter."""
    mean: tuple[float, ...] = CLIP_MEAN
    """Of red, green and blue, after scaling to 0..1."""
    std: tuple[float, ...] = CLIP_STD
    """As `mean`."""
    crop_rounds: bool = False
    """Where the middle lies between two pixels: True rounds half to even as torchvision does, False rounds down."""

    def read_video(self, video: Video, frames: int, sampler: str) -> np.ndarray:
        """Return the sampled frames, uint8 (T, size, size, 3).

        Raises:
            UnreadableVideo: no path, or a file that gives no frame.
        """
        return self.fit_frames(read_frames(video.clip, frames, sampler))

    def fit_frames(self, frames_THWC: np.ndarray) -> np.ndarray:
        """Return RGB frames resized (and cropped) to (T, size, size, 3), uint8."""
        return np.stack([self._fit(Image.fromarray(frame_HWC)) for frame_HWC in frames_THWC])

    def pixels(self, frames_NHWC: Tensor, device: torch.device) -> Tensor:
        """Return normalised float32 pixels_NCHW of uint8 frames."""
        mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (self.mean, self.std))
        return (frames_NHWC.permute(0, 3, 1, 2).to(device, torch.float32) / 255 - mean) / std

    def _fit(self, image: Image.Image) -> np.ndarray:
        resample = Image.Resampling(self.resample)
        if self.fit == "square":
            return np.asarray(image.resize((self.size, self.size), resample))
        image = _padded(image) if self.fit == "padded" else image
        short = min(image.size)
        width, height = (self.size if side == short else int(self.size * side / short) for side in image.size)
        spare = (width - self.size, height - self.size)
        left, top = (round(side / 2) if self.crop_rounds else side // 2 for side in spare)
        resized = image.resize((width, height), resample)
        return np.asarray(resized.crop((left, top, left + self.size, top + self.size)))


def _padded(image: Image.Image) -> Image.Image:
    """The image with black bars at its longer sides, if these are more than 1.25 times the others."""
    if max(image.size) / min(image.size) < RATIO:
        return image
    bars = [max(int((max(image.size) / RATIO - side) / 2), 0) for side in image.size]
    return ImageOps.expand(image, (bars[0], bars[1], bars[0], bars[1]))


def image_preprocessing(published: Mapping[str, Any], defaults: Preprocessing, where: str) -> Preprocessing:
    """Return what a checkpoint's preprocessor_config.json asks for; what it leaves out is the family's default.

    Raises:
        CvrError: the file asks for frames that are not squares.
    """
    settings = published.get("image_processor", published)
    fit: Fit = "crop" if settings.get("do_center_crop", defaults.fit == "crop") else "square"
    size = settings.get("crop_size") if fit == "crop" and settings.get("crop_size") else settings.get("size")
    return Preprocessing(
        size=defaults.size if size is None else _side(size, where),
        fit=fit,
        resample=int(settings.get("resample", defaults.resample)),
        mean=tuple(settings.get("image_mean", defaults.mean)),
        std=tuple(settings.get("image_std", defaults.std)),
    )


def _side(size: int | Mapping[str, int], where: str) -> int:
    if isinstance(size, int):
        return size
    sides = {value for value in size.values() if value is not None}
    if len(sides) != 1:
        raise CvrError(
            f"{where}: its preprocessor_config.json asks for frames of {dict(size)}; only squares are taken."
        )
    return sides.pop()

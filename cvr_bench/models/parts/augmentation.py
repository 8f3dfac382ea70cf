"""CoVR's augmentation of frames, with PIL: a random crop, then two random changes of light or position.

All frames of a clip are changed alike, so that motion stays what it is. Mirroring is off unless asked for: it
contradicts texts about left and right.

Source: Ventura et al., AAAI 2024 (https://arxiv.org/abs/2308.14746), as in github.com/lucas-ventura/CoVR: RandAugment
(Cubuk et al. 2020, https://arxiv.org/abs/1909.13719) with 2 changes of strength 5 of 10, each made half of the time,
of those that keep colours. Differs in that clips of several frames are changed as one.
"""

# Shapes: T frames, H height, W width, C channels.

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

BICUBIC = Image.Resampling.BICUBIC
GREY = (128, 128, 128)
SHARE = 0.5
"""Of the changes that are made."""

Change = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How strongly frames are changed."""

    smallest: float = 0.5
    """Share of the area that a crop keeps at least; 1 keeps all."""
    changes: int = 2
    """How many are drawn."""
    strength: int = 5
    """Of a change, 0 to 10."""
    mirror: bool = False
    """Mirror half of the clips; CoVR does."""

    def apply(self, frames_THWC: np.ndarray, seed: list[int]) -> np.ndarray:
        """Return the frames, uint8 (T, H, W, 3), changed as the seed says."""
        draw = np.random.default_rng(seed)
        height, width = frames_THWC.shape[1:3]
        box = _crop(draw, width, height, self.smallest)
        mirrored = self.mirror and draw.random() < SHARE
        changes = [self._change(draw) for _ in range(self.changes)]
        done = []
        for frame_HWC in frames_THWC:
            image = Image.fromarray(frame_HWC).resize((width, height), BICUBIC, box=box)
            image = ImageOps.mirror(image) if mirrored else image
            for change in changes:
                image = change(image)
            done.append(np.asarray(image))
        return np.stack(done)

    def _change(self, draw: np.random.Generator) -> Change:
        kind = int(draw.integers(len(CHANGES) + 1))
        sign = 1 if draw.random() < 0.5 else -1
        is_made = draw.random() < SHARE
        if kind == len(CHANGES) or not is_made:
            return lambda image: image
        return lambda image: CHANGES[kind](image, self.strength / 10, sign)


def _crop(draw: np.random.Generator, width: int, height: int, smallest: float) -> tuple[float, float, float, float]:
    """A box of a random area and shape; all of the frame if none fits."""
    for _ in range(10):
        area = width * height * draw.uniform(smallest, 1.0)
        ratio = math.exp(draw.uniform(math.log(3 / 4), math.log(4 / 3)))
        wide, high = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if wide <= width and high <= height:
            left, top = draw.uniform(0, width - wide), draw.uniform(0, height - high)
            return left, top, left + wide, top + high
    return 0, 0, width, height


def _enhanced(image: Image.Image, enhance: Callable[[Image.Image], ImageEnhance._Enhance], level: float) -> Image.Image:
    return enhance(image).enhance(0.1 + 1.8 * level)


def _moved(image: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, matrix, resample=BICUBIC, fillcolor=GREY)


CHANGES: tuple[Callable[[Image.Image, float, int], Image.Image], ...] = (
    lambda image, level, sign: ImageOps.autocontrast(image),
    lambda image, level, sign: ImageOps.equalize(image),
    lambda image, level, sign: _enhanced(image, ImageEnhance.Brightness, level),
    lambda image, level, sign: _enhanced(image, ImageEnhance.Sharpness, level),
    lambda image, level, sign: _moved(image, (1, sign * 0.3 * level, 0, 0, 1, 0)),
    lambda image, level, sign: _moved(image, (1, 0, 0, sign * 0.3 * level, 1, 0)),
    lambda image, level, sign: _moved(image, (1, 0, sign * 10 * level, 0, 1, 0)),
    lambda image, level, sign: _moved(image, (1, 0, 0, 0, 1, sign * 10 * level)),
    lambda image, level, sign: image.rotate(sign * 30 * level, resample=BICUBIC, fillcolor=GREY),
)
"""Each takes an image, a strength of 0 to 1 and a direction; at a strength of 0.5 light stays as it is."""

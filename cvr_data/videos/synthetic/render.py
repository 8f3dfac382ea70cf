"""Renders a clip of the synthetic world: an object that acts in front of a scene, seen by a camera."""

# Shapes: T frames, H, W height and width, 3 colours.

import hashlib
import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from cvr_data.videos.synthetic.concepts import Concept
from cvr_data.videos.synthetic.objects import draw_synthetic_object
from cvr_data.videos.synthetic.scenes import paint_synthetic_scene

FPS = 12
FRAMES = (14, 16, 18, 20, 22)
"""A clip lasts 1.2 to 1.8 s."""
MARGIN = 1.6
"""The background is so many times as wide as the picture: room for the camera to move."""
RADIUS = {"small": 0.19, "medium": 0.29, "large": 0.4}
"""Half the width of an object, as a share of the picture."""


ECHOES = ((4.5, 0.2), (3.0, 0.35), (1.5, 0.5))
"""Frames ago and opacity: a fast thing leaves a trail, so that one frame shows where it came from."""
STEADY = ("fades", "blinks")


@dataclass(frozen=True)
class Pose:
    """Where the object is: offsets as shares of the picture, degrees, relative size, opacity."""

    x: float = 0.0
    y: float = 0.0
    angle: float = 0.0
    scale: float = 1.0
    opacity: float = 1.0


class Sprite:
    """A picture of an object that remembers how it was shown: most actions keep its size and angle for many frames."""

    def __init__(self, picture: Image.Image):
        self.picture = picture
        self.sizes: dict[int, Image.Image] = {}
        self.poses: dict[tuple[int, float], Image.Image] = {}
        self.stencils: dict[tuple[int, float, float], Image.Image] = {}
        self.shadows: dict[tuple[int, float, float], Image.Image] = {}

    def posed(self, width: int, angle: float) -> Image.Image:
        """Return the picture that wide and turned by so many degrees."""
        if width not in self.sizes:
            self.sizes[width] = self.picture.resize((width, width), Image.Resampling.BILINEAR, reducing_gap=2.0)
        if (width, angle) not in self.poses:
            self.poses[width, angle] = self.sizes[width].rotate(angle, Image.Resampling.BILINEAR, expand=True)
        return self.poses[width, angle]

    def stencil(self, width: int, angle: float, opacity: float) -> Image.Image:
        """Return how much of the posed picture is seen at each pixel."""
        if (width, angle, opacity) not in self.stencils:
            alpha = self.posed(width, angle).getchannel("A")
            if opacity < 1:
                alpha = alpha.point([round(value * opacity) for value in range(256)])
            self.stencils[width, angle, opacity] = alpha
        return self.stencils[width, angle, opacity]

    def shadow(self, width: int, angle: float, opacity: float) -> Image.Image:
        """Return how dark the posed picture's shadow is at each pixel."""
        if (width, angle, opacity) not in self.shadows:
            blurred = self.stencil(width, angle, opacity).filter(ImageFilter.BoxBlur(3))
            self.shadows[width, angle, opacity] = blurred.point([value // 3 for value in range(256)])
        return self.shadows[width, angle, opacity]


def render_synthetic_clip(concept: Concept, seed: str, size: int) -> np.ndarray:
    """Return the frames of a clip, uint8 RGB (T, size, size, 3); the same seed gives the same frames."""
    digest = hashlib.sha256(seed.encode()).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    count = FRAMES[generator.integers(0, len(FRAMES))]
    scene_HW3 = paint_synthetic_scene(concept.scene, round(size * MARGIN), generator)
    scene = Image.fromarray(scene_HW3.astype(np.uint8))
    sprite = Sprite(draw_synthetic_object(concept.object, concept.colour, concept.texture, generator))
    rest = Pose(x=generator.uniform(-0.09, 0.09), y=generator.uniform(-0.09, 0.09), angle=generator.uniform(-10, 10))
    rest = replace(rest, scale=RADIUS[concept.size] * generator.uniform(0.92, 1.08))
    drift = generator.uniform(-0.02, 0.02, 2)
    frames = []
    for number in range(count):
        moment = number / (count - 1)
        picture = _scene_view(scene, concept.camera, moment, size, drift)
        for lag, strength in ECHOES if concept.action not in STEADY else ():
            echo = _object_pose(concept.action, moment - lag / count, rest)
            _object_place(picture, sprite, replace(echo, opacity=strength))
        _object_place(picture, sprite, _object_pose(concept.action, moment, rest), with_shadow=True)
        frames.append(np.asarray(picture))
    return np.stack(frames)


def _scene_view(scene: Image.Image, camera: str, moment: float, size: int, drift: np.ndarray) -> Image.Image:
    """Return what the camera sees of the scene; even a still one drifts a little."""
    width = size / scene.width
    x, y = 0.5 + drift * math.sin(moment * math.pi)
    reach = (1 - width) / 2
    if camera == "pans":
        x += reach * (2 * moment - 1)
    elif camera == "tilts":
        y += reach * (1 - 2 * moment)
    elif camera == "zooms":
        width *= 1.45 - 0.95 * moment
    x, y = (float(np.clip(value, width / 2, 1 - width / 2)) for value in (x, y))
    left, top, side = (x - width / 2) * scene.width, (y - width / 2) * scene.width, width * scene.width
    return scene.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))


def _object_pose(action: str, moment: float, rest: Pose) -> Pose:
    """Return the pose at a moment between 0 and 1."""
    way = 2 * moment - 1
    turn = 2 * math.pi * moment
    if action in ("moves left", "moves right"):
        return replace(rest, x=0.36 * (way if action == "moves right" else -way))
    if action in ("moves up", "moves down"):
        return replace(rest, y=0.36 * (way if action == "moves down" else -way))
    if action == "bounces":
        return replace(rest, y=0.3 - 0.6 * abs(math.sin(1.25 * turn)))
    if action == "spins":
        return replace(rest, angle=rest.angle + 540 * moment)
    if action in ("grows", "shrinks"):
        return replace(rest, scale=rest.scale * (1 + 0.45 * (way if action == "grows" else -way)))
    if action == "fades":
        return replace(rest, opacity=1 - 0.92 * moment)
    if action == "circles":
        return replace(rest, x=0.27 * math.cos(1.5 * turn), y=0.27 * math.sin(1.5 * turn))
    if action == "shakes":
        return replace(rest, x=rest.x + 0.09 * math.sin(8 * turn), angle=rest.angle + 16 * math.cos(7 * turn))
    if action == "blinks":
        return replace(rest, opacity=1.0 if math.sin(3.5 * turn) >= 0 else 0.0)
    lean = 42 * math.sin(1.5 * turn)
    return replace(rest, x=0.45 * math.sin(math.radians(lean)), angle=lean)


def _object_place(picture: Image.Image, sprite: Sprite, pose: Pose, *, with_shadow: bool = False) -> None:
    size = picture.width
    shown = max(4, round(2 * pose.scale * size)), pose.angle
    turned = sprite.posed(*shown)
    left = round(size / 2 + pose.x * size - turned.width / 2)
    top = round(size / 2 + pose.y * size - turned.height / 2)
    if with_shadow:
        offset = max(2, size // 32)
        picture.paste((0, 0, 0), (left + offset, top + offset), sprite.shadow(*shown, pose.opacity))
    picture.paste(turned, (left, top), sprite.stencil(*shown, pose.opacity))

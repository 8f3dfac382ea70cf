"""Draws the objects of the synthetic world: a coloured, textured, shaded picture with an alpha channel.

Coordinates lie in [-1, 1], y downwards. A part is filled with the object's colour and texture, made darker or
brighter, or with a colour of its own (a window, a stalk).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 160
COLOURS = {
    "red": (215, 30, 35),
    "orange": (250, 130, 15),
    "yellow": (250, 220, 30),
    "green": (30, 160, 50),
    "blue": (15, 70, 245),
    "pink": (255, 125, 195),
    "white": (242, 242, 242),
    "black": (26, 26, 28),
}
PERIOD = 36
"""Pixels after which a texture repeats."""

Point = tuple[float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Part:
    """A filled outline; `tone` scales the object's own colour, `colour` replaces it."""

    outline: tuple[Point, ...]
    tone: float = 1.0
    colour: Colour | None = None
    is_hole: bool = False


def draw_synthetic_object(name: str, colour: str, texture: str, generator: np.random.Generator) -> Image.Image:
    """Return the RGBA picture of an object; colour and texture vary a little with the generator."""
    base = np.clip(np.array(COLOURS[colour]) + generator.normal(0, 7, 3), 0, 255)
    surface = _surface(base, texture, generator)
    pixels = np.zeros((SIDE, SIDE, 3))
    alpha = np.zeros((SIDE, SIDE))
    for part in PARTS[name]():
        mask = _mask(part.outline)[..., None]
        if part.is_hole:
            alpha *= 1 - mask[..., 0]
            continue
        fill = np.array(part.colour, float) if part.colour else surface * part.tone
        pixels = pixels * (1 - mask) + fill * mask
        alpha = np.maximum(alpha, mask[..., 0])
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    # a lamp at the top left, so that turning can be seen
    pixels *= (1.15 - 0.45 * np.hypot(x - 0.3, y - 0.25))[..., None]
    image = Image.fromarray(np.dstack([pixels, alpha * 255]).clip(0, 255).astype(np.uint8), "RGBA")
    return _outlined(image, dark=colour != "black")


def _surface(base: np.ndarray, texture: str, generator: np.random.Generator) -> np.ndarray:
    is_bright = base @ (0.3, 0.59, 0.11) > 120
    other = base * 0.35 if is_bright else base * 0.45 + 255 * 0.5
    y, x = np.mgrid[:SIDE, :SIDE] + generator.integers(0, PERIOD, 2)[:, None, None]
    if texture == "striped":
        angle = generator.uniform(0.3, 1.2)
        share = ((x * math.cos(angle) + y * math.sin(angle)) % PERIOD < PERIOD / 2).astype(float)
    elif texture == "spotted":
        shifted = x + (y // PERIOD % 2) * (PERIOD // 2)
        share = (np.hypot(shifted % PERIOD - PERIOD / 2, y % PERIOD - PERIOD / 2) < PERIOD * 0.3).astype(float)
    elif texture == "checkered":
        share = ((x // (PERIOD * 0.6) + y // (PERIOD * 0.6)) % 2).astype(float)
    else:
        share = np.zeros((SIDE, SIDE))
    return base + share[..., None] * (other - base)


def _mask(outline: tuple[Point, ...]) -> np.ndarray:
    image = Image.new("L", (SIDE * 2, SIDE * 2))
    scale, middle = SIDE * 0.9, SIDE
    ImageDraw.Draw(image).polygon([(middle + x * scale, middle + y * scale) for x, y in outline], fill=255)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), float) / 255


def _outlined(image: Image.Image, *, dark: bool) -> Image.Image:
    grown = image.getchannel("A").filter(ImageFilter.MaxFilter(5))
    shade = 25 if dark else 150
    outline = Image.merge("RGBA", [*(Image.new("L", image.size, shade) for _ in range(3)), grown])
    return Image.alpha_composite(outline, image)


def _ellipse(radius_x: float, radius_y: float, x: float = 0.0, y: float = 0.0) -> tuple[Point, ...]:
    angles = np.linspace(0, 2 * math.pi, 72, endpoint=False)
    return tuple((x + radius_x * math.cos(a), y + radius_y * math.sin(a)) for a in angles)


def _box(left: float, top: float, right: float, bottom: float) -> tuple[Point, ...]:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def _ball() -> list[Part]:
    return [Part(_ellipse(0.95, 0.95)), Part(_ellipse(0.2, 0.13, -0.38, -0.48), colour=(255, 255, 255))]


def _cube() -> list[Part]:
    front = ((-0.9, -0.35), (0.35, -0.35), (0.35, 0.9), (-0.9, 0.9))
    top = ((-0.9, -0.35), (-0.35, -0.9), (0.9, -0.9), (0.35, -0.35))
    side = ((0.35, -0.35), (0.9, -0.9), (0.9, 0.35), (0.35, 0.9))
    return [Part(front), Part(top, tone=1.3), Part(side, tone=0.55)]


def _star() -> list[Part]:
    radii = [0.98 if corner % 2 == 0 else 0.42 for corner in range(10)]
    turns = [corner * math.pi / 5 for corner in range(10)]
    return [Part(tuple((r * math.sin(t), -r * math.cos(t)) for r, t in zip(radii, turns, strict=True)))]


def _heart() -> list[Part]:
    turns = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    heights = 13 * np.cos(turns) - 5 * np.cos(2 * turns) - 2 * np.cos(3 * turns) - np.cos(4 * turns)
    return [Part(tuple(zip((np.sin(turns) ** 3 * 0.95).tolist(), (-heights / 17 - 0.05).tolist(), strict=True)))]


def _ring() -> list[Part]:
    return [Part(_ellipse(0.97, 0.97)), Part(_ellipse(0.5, 0.5), is_hole=True)]


def _umbrella() -> list[Part]:
    top = [(math.cos(a) * 0.97, -math.sin(a) * 0.9 + 0.05) for a in np.linspace(0, math.pi, 40)]
    scallops = [(-0.97 + 1.94 * step / 40, 0.05 - 0.16 * abs(math.sin(step * math.pi / 10))) for step in range(41)]
    handle = _box(-0.04, -0.05, 0.06, 0.8)
    hook = tuple((0.2 + 0.2 * math.cos(a), 0.76 + 0.2 * math.sin(a)) for a in np.linspace(0, math.pi, 20)) + tuple(
        (0.2 + 0.1 * math.cos(a), 0.76 + 0.1 * math.sin(a)) for a in np.linspace(math.pi, 0, 20)
    )
    brown = (95, 60, 30)
    return [Part(handle, colour=brown), Part(hook, colour=brown), Part(tuple(top + scallops))]


def _mushroom() -> list[Part]:
    cap = tuple((math.cos(a) * 0.97, -math.sin(a) * 0.95 + 0.12) for a in np.linspace(0, math.pi, 40))
    stalk = ((-0.24, 0.1), (0.24, 0.1), (0.36, 0.95), (-0.36, 0.95))
    gills = _ellipse(0.9, 0.16, 0, 0.13)
    return [Part(gills, colour=(150, 120, 90)), Part(stalk, colour=(235, 220, 190)), Part(cap)]


def _fish() -> list[Part]:
    tail = ((-0.45, 0.0), (-0.98, -0.6), (-0.82, 0.0), (-0.98, 0.6))
    fin = ((-0.1, -0.4), (0.3, -0.85), (0.45, -0.35))
    eye = [Part(_ellipse(0.13, 0.13, 0.58, -0.12), colour=(255, 255, 255)), Part(_ellipse(0.07, 0.07, 0.6, -0.12), 0.0)]
    return [Part(tail, tone=0.7), Part(fin, tone=0.7), Part(_ellipse(0.75, 0.5, 0.2, 0.0)), *eye]


def _butterfly() -> list[Part]:
    wings = []
    for sign in (-1, 1):
        wings.append(Part(((0, -0.1), (sign * 0.5, -0.9), (sign * 0.95, -0.8), (sign * 0.9, -0.2), (0, 0.1))))
        wings.append(Part(((0, 0.0), (sign * 0.75, 0.1), (sign * 0.7, 0.65), (sign * 0.3, 0.9), (0, 0.25)), tone=0.8))
    return [*wings, Part(_ellipse(0.09, 0.62), colour=(50, 35, 30))]


def _car() -> list[Part]:
    body = (
        (-0.97, 0.1),
        (-0.6, 0.05),
        (-0.4, -0.45),
        (0.35, -0.45),
        (0.6, 0.05),
        (0.97, 0.15),
        (0.97, 0.5),
        (-0.97, 0.5),
    )
    glass, tyre, hub = (175, 215, 235), (30, 30, 32), (190, 190, 195)
    windows = [
        ((-0.5, 0.02), (-0.34, -0.35), (-0.05, -0.35), (-0.05, 0.02)),
        ((0.03, 0.02), (0.03, -0.35), (0.3, -0.35), (0.48, 0.02)),
    ]
    wheels = [Part(_ellipse(0.24, 0.24, x, 0.5), colour=tyre) for x in (-0.53, 0.53)]
    hubs = [Part(_ellipse(0.1, 0.1, x, 0.5), colour=hub) for x in (-0.53, 0.53)]
    return [Part(body), *(Part(window, colour=glass) for window in windows), *wheels, *hubs]


def _kite() -> list[Part]:
    left, right = ((0, -0.98), (-0.6, -0.3), (0, 0.45)), ((0, -0.98), (0.6, -0.3), (0, 0.45))
    tail = [(0.08 * math.sin(step * 0.9), 0.4 + step * 0.04) for step in range(15)]
    line = tuple([(x - 0.03, y) for x, y in tail] + [(x + 0.03, y) for x, y in reversed(tail)])
    bows = [
        Part(((-0.22, y - 0.08), (0, y), (-0.22, y + 0.08), (0.22, y - 0.08), (0, y), (0.22, y + 0.08)))
        for y in (0.62, 0.85)
    ]
    return [Part(line, colour=(60, 60, 60)), Part(left), Part(right, tone=0.65), *bows]


def _cup() -> list[Part]:
    body = ((-0.75, -0.75), (0.45, -0.75), (0.35, 0.85), (-0.65, 0.85))
    handle, gap = _ellipse(0.42, 0.5, 0.45, -0.02), _ellipse(0.24, 0.32, 0.47, -0.02)
    inside = _ellipse(0.6, 0.14, -0.15, -0.75)
    return [Part(handle, tone=0.8), Part(gap, is_hole=True), Part(body), Part(inside, colour=(70, 45, 30))]


PARTS: dict[str, Callable[[], list[Part]]] = {
    "ball": _ball, "cube": _cube, "star": _star, "heart": _heart, "ring": _ring, "umbrella": _umbrella,
    "mushroom": _mushroom, "fish": _fish, "butterfly": _butterfly, "car": _car, "kite": _kite, "cup": _cup,
}  # fmt: skip

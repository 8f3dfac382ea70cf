"""Paints the backgrounds of the synthetic world: pictures with the colours and structure of a place.

Every clip gets its own one: horizon, light and every detail are drawn anew.
"""

# Shapes: H, W height and width of the picture, 3 colours, P points.

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

Picture = np.ndarray
Colour = tuple[float, float, float]


def paint_synthetic_scene(name: str, side: int, generator: np.random.Generator) -> Picture:
    """Return a square picture of the scene, float (side, side, 3) in 0..255."""
    picture_HW3 = SCENES[name](side, generator)
    light = generator.uniform(0.82, 1.12)
    tint_3 = generator.normal(1.0, 0.035, 3)
    grain_HW1 = generator.normal(0, 3.0, (side, side, 1))
    return (picture_HW3 * light * tint_3 + grain_HW1).clip(0, 255)


def _noise(side: int, cells: int, generator: np.random.Generator, stretch: float = 1.0, octaves: int = 3) -> np.ndarray:
    """Smooth noise in -1..1 with about `cells` waves across, `stretch` times longer sideways."""
    total_HW = np.zeros((side, side))
    for octave in range(octaves):
        rows = max(2, round(cells * 2**octave))
        columns = max(2, round(rows / stretch))
        grid = Image.fromarray(generator.uniform(-1, 1, (rows, columns)).astype(np.float32))
        total_HW += np.asarray(grid.resize((side, side), Image.Resampling.BICUBIC)) / 2**octave
    return total_HW / (2 - 2.0 ** (1 - octaves))


def _gradient(side: int, top: Colour, bottom: Colour) -> Picture:
    share = np.linspace(0, 1, side)[:, None, None]
    return np.broadcast_to(np.array(top) * (1 - share) + np.array(bottom) * share, (side, side, 3)).copy()


def _fill(picture: Picture, mask_HW: np.ndarray, colour: Colour, shade_HW: np.ndarray | float = 0.0) -> None:
    shade_N = np.broadcast_to(shade_HW, mask_HW.shape)[mask_HW]
    picture[mask_HW] = np.array(colour) + shade_N[:, None]


def _rows(side: int) -> np.ndarray:
    return np.linspace(0, 1, side)[:, None] * np.ones((1, side))


def _ridge(side: int, height: float, roughness: float, generator: np.random.Generator) -> np.ndarray:
    """The height (0 top, 1 bottom) of a jagged skyline, per column."""
    line = np.zeros(side)
    for octave in range(5):
        knots = generator.uniform(-1, 1, 3 * 2**octave + 1)
        line += np.interp(np.linspace(0, len(knots) - 1, side), np.arange(len(knots)), knots) / 1.9**octave
    return height + roughness * line


def _sky(side: int, generator: np.random.Generator) -> Picture:
    picture = _gradient(side, (95, 160, 230), (205, 228, 245))
    clouds_HW = (_noise(side, 3, generator, stretch=2.5) - 0.15).clip(0, 0.5)[..., None] * 2
    return picture * (1 - clouds_HW) + 250 * clouds_HW


def _beach(side: int, generator: np.random.Generator) -> Picture:
    picture, rows = _sky(side, generator), _rows(side)
    horizon, shore = generator.uniform(0.25, 0.38), generator.uniform(0.52, 0.66)
    edge_HW = shore + 0.04 * _noise(side, 3, generator)[:1] * np.ones((side, 1))
    _fill(picture, rows > horizon, (20, 150, 175), 30 * _noise(side, 16, generator, stretch=6))
    _fill(picture, rows > edge_HW - 0.03, (245, 250, 250))
    _fill(picture, rows > edge_HW, (225, 195, 140), 16 * _noise(side, 30, generator))
    return picture


def _forest(side: int, generator: np.random.Generator) -> Picture:
    picture = _gradient(side, (95, 140, 70), (25, 55, 25)) + 35 * _noise(side, 14, generator)[..., None]
    rows = _rows(side)
    _fill(picture, rows > generator.uniform(0.8, 0.88), (75, 60, 35), 20 * _noise(side, 24, generator))
    columns = np.arange(side)[None, :] * np.ones((side, 1))
    for _ in range(generator.integers(9, 14)):
        width, x = side * generator.uniform(0.02, 0.06), generator.uniform(0, side)
        brown = np.array((70, 48, 32)) * generator.uniform(0.6, 1.3)
        _fill(picture, (abs(columns - x) < width) & (rows < 0.92), tuple(brown), 14 * _noise(side, 30, generator, 0.3))
    leaves = _noise(side, 22, generator)
    _fill(picture, (leaves > 0.3) & (rows < 0.45), (45, 120, 40), 60 * leaves - 20)
    return picture


def _desert(side: int, generator: np.random.Generator) -> Picture:
    picture, rows = _gradient(side, (250, 205, 140), (255, 235, 200)), _rows(side)
    start = generator.uniform(0.35, 0.45)
    for layer in range(4):
        wave = np.sin(np.linspace(0, generator.uniform(4, 8), side) + generator.uniform(0, 6))
        line = start + 0.16 * layer + 0.06 * wave
        tone = 1.05 - 0.12 * layer
        shade_HW = 40 * (rows - line) * -3 + 8 * _noise(side, 30, generator, stretch=4)
        _fill(picture, rows > line, (230 * tone, 150 * tone, 75 * tone), shade_HW)
    return picture


def _city(side: int, generator: np.random.Generator) -> Picture:
    image = Image.fromarray(_gradient(side, (45, 35, 85), (205, 120, 130)).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for depth in (0, 1):
        left = -int(generator.integers(0, 12))
        while left < side:
            width = int(generator.integers(side // 11, side // 5))
            top = int(side * (generator.uniform(0.12, 0.5) + 0.2 * depth))
            grey = int(generator.integers(28, 50)) + 38 * (1 - depth)
            draw.rectangle((left, top, left + width, max(side, top)), fill=(grey, grey + 4, grey + 18))
            _windows(draw, range(left + 3, left + width - 4, 7), range(top + 4, side, 8), generator)
            left += width + int(generator.integers(1, 6))
    return np.asarray(image, float)


def _windows(draw: ImageDraw.ImageDraw, columns: range, rows: range, generator: np.random.Generator) -> None:
    for x in columns:
        for y in rows:
            if generator.random() < 0.5:
                draw.rectangle((x, y, x + 3, y + 4), fill=(255, 215, int(generator.integers(90, 160))))


def _mountains(side: int, generator: np.random.Generator) -> Picture:
    picture, rows = _sky(side, generator), _rows(side)
    noise_HW = _noise(side, 10, generator)
    for layer, (height, grey) in enumerate(((0.36, 125), (0.52, 90))):
        line = _ridge(side, height + generator.uniform(-0.05, 0.05), 0.13, generator)
        _fill(picture, rows > line, (grey, grey + 5, grey + 18), 26 * noise_HW)
        snow_HW = (rows > line) & (rows < line + 0.13 - 0.05 * layer + 0.1 * noise_HW)
        _fill(picture, snow_HW, (240, 244, 250), 8 * noise_HW)
    _fill(picture, rows > _ridge(side, 0.82, 0.04, generator), (45, 70, 50), 18 * _noise(side, 26, generator))
    return picture


def _meadow(side: int, generator: np.random.Generator) -> Picture:
    picture, rows = _sky(side, generator), _rows(side)
    horizon = _ridge(side, generator.uniform(0.3, 0.42), 0.02, generator)
    _fill(picture, rows > horizon, (95, 180, 55), 28 * _noise(side, 40, generator, stretch=0.35))
    image = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(110):
        y = generator.uniform(0.45, 1) * side
        x, radius = generator.uniform(0, side), y / side * 3.2
        petal = ((255, 255, 255), (250, 220, 60), (235, 80, 90), (190, 110, 230))[generator.integers(0, 4)]
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=petal)
    return np.asarray(image, float)


def _ocean(side: int, generator: np.random.Generator) -> Picture:
    picture, rows = _gradient(side, (35, 85, 150), (5, 25, 75)), _rows(side)
    waves_HW = np.sin(rows * generator.uniform(70, 95) + 5 * _noise(side, 5, generator, stretch=3))
    picture += 30 * waves_HW[..., None] * (0.4 + rows[..., None])
    glints_HW = _noise(side, 26, generator, stretch=5) * (waves_HW > 0)
    _fill(picture, glints_HW > 0.42, (190, 225, 245))
    return picture


def _galaxy(side: int, generator: np.random.Generator) -> Picture:
    clouds_HW, other_HW = _noise(side, 3, generator, octaves=5).clip(0), _noise(side, 3, generator, octaves=5).clip(0)
    picture = 8 + clouds_HW[..., None] * np.array((190, 60, 230)) + other_HW[..., None] * np.array((30, 110, 235))
    for size, count in ((1, 150), (2, 30)):
        for y, x in generator.integers(0, side - size, (count, 2)):
            picture[y : y + size, x : x + size] = generator.uniform(170, 255)
    return picture


def _wall(side: int, generator: np.random.Generator) -> Picture:
    picture = np.full((side, side, 3), 190.0) + 8 * _noise(side, 30, generator)[..., None]
    height, width = int(generator.integers(13, 17)), int(generator.integers(28, 36))
    for row, top in enumerate(range(-int(generator.integers(0, height)), side, height)):
        for left in range(-width if row % 2 else -width // 2, side, width):
            brick = np.array((160, 85, 62)) * generator.uniform(0.7, 1.15)
            picture[max(top, 0) : max(top + height - 2, 0), max(left, 0) : max(left + width - 2, 0)] = brick
    return picture + 12 * _noise(side, 40, generator)[..., None]


def _glacier(side: int, generator: np.random.Generator) -> Picture:
    points = generator.uniform(0, side, (38, 2))
    y, x = np.mgrid[:side, :side]
    distances_PHW = np.hypot(y - points[:, 0, None, None], (x - points[:, 1, None, None]) * 1.5)
    blocks_HW = distances_PHW.argmin(axis=0)
    nearest_HW = distances_PHW.min(axis=0)
    np.put_along_axis(distances_PHW, blocks_HW[None], np.inf, axis=0)
    gap_HW = distances_PHW.min(axis=0) - nearest_HW
    tones = generator.uniform(-38, 30, 38)[blocks_HW]
    picture = np.array((170, 215, 238)) + tones[..., None] + 10 * _noise(side, 18, generator)[..., None]
    _fill(picture, gap_HW < 6, (240, 250, 255))
    _fill(picture, gap_HW < 2.2, (60, 120, 170))
    return picture


def _volcano(side: int, generator: np.random.Generator) -> Picture:
    picture, rows = _gradient(side, (40, 20, 25), (150, 45, 25)), _rows(side)
    picture += 32 * _noise(side, 4, generator)[..., None]
    columns = np.linspace(0, 1, side)[None, :] * np.ones((side, 1))
    peak, top = generator.uniform(0.35, 0.65), generator.uniform(0.25, 0.4)
    rough_HW = _noise(side, 12, generator)
    cone_HW = rows > top + abs(columns - peak).clip(0.07) * 1.15 - 0.08 + 0.03 * rough_HW
    _fill(picture, cone_HW, (38, 28, 30), 22 * rough_HW)
    for _ in range(5):
        lean, bend = generator.uniform(-0.55, 0.55), generator.uniform(0, 6)
        path_HW = peak + lean * (rows - top) + 0.03 * np.sin(rows * 18 + bend)
        glow_HW = (abs(columns - path_HW) < 0.022) & (rows > top - 0.03)
        _fill(picture, glow_HW, (255, 120, 20), 70 * rough_HW)
    return picture


def _bookshelf(side: int, generator: np.random.Generator) -> Picture:
    image = Image.new("RGB", (side, side), (45, 28, 16))
    draw = ImageDraw.Draw(image)
    height = int(generator.integers(side // 5, side // 4))
    for top in range(-int(generator.integers(0, height)), side, height):
        x = 0
        while x < side:
            width, gap = int(generator.integers(5, 12)), int(generator.integers(2, max(3, height // 4)))
            back = tuple(int(value) for value in generator.integers(40, 190, 3) * np.array((1.0, 0.75, 0.6)))
            draw.rectangle([x, top + gap, x + width - 1, top + height - 6], fill=back)
            draw.line([x + 1, top + gap + 6, x + width - 2, top + gap + 6], fill=(225, 200, 130))
            x += width
        draw.rectangle([0, top + height - 6, side, top + height - 1], fill=(140, 92, 50))
    return np.asarray(image, float)


SCENES: dict[str, Callable[[int, np.random.Generator], Picture]] = {
    "beach": _beach, "forest": _forest, "desert": _desert, "city": _city, "mountains": _mountains, "meadow": _meadow,
    "ocean": _ocean, "galaxy": _galaxy, "wall": _wall, "glacier": _glacier, "volcano": _volcano,
    "bookshelf": _bookshelf,
}  # fmt: skip

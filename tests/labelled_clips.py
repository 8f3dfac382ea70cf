"""Tiny clips with known faults, for the filters of videos: a fault is a function on frames, so real clips can have it.

A clean clip is a textured scene that is panned slowly, with a textured disc that moves in front; no two share a scene.
"""

# Shapes: T frames, H height, W width.

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from cvr_data.media.video import write_mp4

FPS, FRAMES, SIDE = 12, 26, 96
Fault = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def scene(seed: int, frames: int = FRAMES, side: int = SIDE) -> np.ndarray:
    """A clean clip, uint8 (T, H, W, 3)."""
    generator = np.random.default_rng(seed)
    wide, disc = _texture(generator, 2 * side), _texture(generator, side)
    way = generator.uniform(-0.5, 0.5, 2) * side / frames
    rows, columns = np.mgrid[:side, :side]
    start, step = generator.uniform(0.2, 0.8, 2) * side, generator.uniform(-0.6, 0.6, 2) * side / frames
    clip = np.empty((frames, side, side, 3), np.uint8)
    for number in range(frames):
        top, left = (side // 2 + way * number).round().astype(int)
        at = start + step * number
        is_disc = np.hypot(rows - at[0], columns - at[1]) < side / 6
        moved = np.roll(disc, tuple(at.round().astype(int)), (0, 1))
        clip[number] = np.where(is_disc[..., None], moved, wide[top : top + side, left : left + side])
    return clip


def _texture(generator: np.random.Generator, side: int) -> np.ndarray:
    """Patches of colour with grain: like a photograph it has large shapes, and edges that are sharp."""
    size = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)) + 1 / side
    waves = np.fft.fft2(generator.normal(size=(3, side, side))) / size**1.2
    smooth = np.fft.ifft2(waves).real
    smooth /= smooth.std(axis=(1, 2), keepdims=True)
    patches = np.floor(smooth * 1.5) / 1.5
    grain = generator.normal(scale=0.15, size=(side, side))
    return np.clip(118 + 45 * (patches + grain), 16, 235).astype(np.uint8).transpose(1, 2, 0)


def each_frame(change: Callable[[Image.Image], Image.Image], clip: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(change(Image.fromarray(frame))) for frame in clip])


def blurred(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    radius = generator.uniform(0.03, 0.05) * clip.shape[1]
    return each_frame(lambda frame: frame.filter(ImageFilter.GaussianBlur(radius)), clip)


def still(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One picture with the noise of a camera."""
    noise = generator.normal(scale=2.0, size=clip.shape)
    return np.clip(clip[:1] + noise, 0, 255).astype(np.uint8)


def shaken(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Held by an unsteady hand: jumps to and fro by 2 % of the side."""
    jumps = (generator.normal(scale=0.02 * clip.shape[1], size=(len(clip), 2))).round().astype(int)
    return np.stack([np.roll(frame, tuple(jump), (0, 1)) for frame, jump in zip(clip, jumps, strict=True)])


def dark(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """As at night: little is bright, and that stays."""
    shares, wanted = clip / 255, generator.uniform(12, 17) / 255
    powers = np.arange(1, 40, 0.2)
    power = next((each for each in powers if (shares[0] ** each).mean() <= wanted), powers[-1])
    return (255 * shares**power).astype(np.uint8)


def bright(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return (255 - (255 - clip) * (generator.uniform(9, 15) / (255 - clip.mean()))).astype(np.uint8)


def noisy(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Filmed in hardly any light, and brightened."""
    return np.clip(clip + generator.normal(scale=generator.uniform(45, 70), size=clip.shape), 0, 255).astype(np.uint8)


def cropped(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A fifth of each side from a corner, blown up."""
    height, width = (max(8, size // 5) for size in clip.shape[1:3])
    top, left = (
        int(generator.choice([0, size - part])) for size, part in ((clip.shape[1], height), (clip.shape[2], width))
    )
    corner = clip[:, top : top + height, left : left + width]
    return each_frame(lambda frame: frame.resize((clip.shape[2], clip.shape[1]), Image.Resampling.BICUBIC), corner)


def black(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Black with noise, for most of it or all."""
    dark_frames = np.clip(generator.normal(8, 3, clip.shape), 0, 255).astype(np.uint8)
    shown = max(2, int(generator.uniform(0.15, 0.3) * len(clip)))
    return np.concatenate([dark_frames[: len(clip) - shown], clip[len(clip) - shown :]])


def flat(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return np.full_like(clip, generator.integers(60, 200))


def short(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return clip[: int(1.5 * FPS)]


def small(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return each_frame(lambda frame: frame.resize((48, 48)), clip)


def copied(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A copy, scaled and a little brighter; it is encoded anew as well."""
    side = 2 * int(0.4 * clip.shape[1])
    scaled = each_frame(lambda frame: frame.resize((side, side), Image.Resampling.BICUBIC), clip)
    return np.clip(scaled.astype(np.float32) * 1.05 + 4, 0, 255).astype(np.uint8)


def marked(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The logo of a station in the upper right corner."""
    side = clip.shape[2]
    logo = Image.new("L", (side, clip.shape[1]))
    draw = ImageDraw.Draw(logo)
    left, top, size = 0.72 * side, 0.06 * side, 0.2 * side
    draw.rectangle((left, top, left + size, top + size), outline=255, width=max(2, side // 40))
    draw.ellipse((left + size / 4, top + size / 4, left + 3 * size / 4, top + 3 * size / 4), fill=255)
    share = np.asarray(logo, np.float32)[None, ..., None] / 255 * 0.85
    return (clip * (1 - share) + 250 * share).astype(np.uint8)


WORDS = (
    "I never said that I would come back",
    "Where have you been all night long?",
    "We have to leave before it rains",
)


def subtitled(clip: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A line of white letters with a dark edge, low in the picture."""
    text = str(generator.choice(WORDS))
    height, width = clip.shape[1:3]
    font = ImageFont.load_default(size=height // 16)

    def write(frame: Image.Image) -> Image.Image:
        draw = ImageDraw.Draw(frame)
        draw.text((width / 2, 0.88 * height), text, font=font, anchor="mm", fill="white", stroke_width=2, stroke_fill=0)
        return frame

    return each_frame(write, clip)


@dataclass(frozen=True)
class Kind:
    """Clips of one kind: how many, what is done to them, and which filters should drop them."""

    name: str
    count: int
    fault: Fault | None
    dropped_by: frozenset[str] = frozenset()


KINDS = (
    Kind("clean", 14, None),
    Kind("short", 3, short, frozenset({"duration"})),
    Kind("small", 3, small, frozenset({"size"})),
    Kind("black", 3, black, frozenset({"black", "brightness"})),
    Kind("flat", 2, flat, frozenset({"black", "still"})),
    Kind("dark", 3, dark, frozenset({"brightness"})),
    Kind("bright", 2, bright, frozenset({"brightness"})),
    Kind("blurred", 4, blurred, frozenset({"blur"})),
    Kind("still", 4, still, frozenset({"still"})),
    Kind("shaken", 4, shaken, frozenset({"shaky"})),
    Kind("marked", 10, marked, frozenset({"watermark"})),
    Kind("copied", 4, copied, frozenset({"near-duplicate"})),
)
"""Copies are of the first clean clips."""


def write_labelled_clips(folder: Path) -> dict[str, frozenset[str]]:
    """Write the clips and `captions.csv`, and return file name -> the filters that should drop it."""
    folder.mkdir(parents=True, exist_ok=True)
    labels: dict[str, frozenset[str]] = {}
    seed = 0
    for kind in KINDS:
        for number in range(kind.count):
            seed += 1
            name = f"{kind.name}-{number:02d}.mp4"
            clip = scene(number + 1 if kind.name == "copied" else seed)
            if kind.fault is not None:
                clip = kind.fault(clip, np.random.default_rng(1000 + seed))
            write_mp4(folder / name, clip, fps=FPS)
            labels[name] = kind.dropped_by
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "caption"])
        writer.writerows([name, f"a clip named {Path(name).stem}"] for name in labels)
    return labels


def precision_and_recall(dropped: set[str], wanted: set[str]) -> tuple[float, float]:
    """Return both as shares; 1 where nothing was dropped, or nothing was to be."""
    right = len(dropped & wanted)
    return right / len(dropped) if dropped else 1.0, right / len(wanted) if wanted else 1.0

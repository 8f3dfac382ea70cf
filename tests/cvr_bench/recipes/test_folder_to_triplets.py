"""A folder without a caption becomes triplets: a server that sees colours describes, all else is the real thing."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvr_data.core.artifacts import open_artifact
from cvr_data.media.video import write_mp4
from tests.llm_server import LLMServer

COLOURS = {"red": (200, 30, 30), "blue": (30, 30, 200), "green": (20, 150, 20), "yellow": (220, 210, 40)}
GROUNDS = {"sand": (170, 140, 110), "snow": (235, 235, 240)}


def write_balls(folder: Path) -> None:
    """A clip of each colour of ball on each ground, which it crosses."""
    folder.mkdir()
    rows, columns = np.mgrid[:96, :128]
    generator = np.random.default_rng(0)
    for ground, ground_rgb in GROUNDS.items():
        for colour, rgb in COLOURS.items():
            frames = np.clip(np.array(ground_rgb) + generator.normal(scale=6, size=(30, 96, 128, 1)), 0, 255)
            for number, frame in enumerate(frames):
                frame[np.hypot(rows - 50, columns - 20 - 3 * number) < 22] = rgb
            write_mp4(folder / f"{ground}-{colour}.mp4", frames.astype(np.uint8), fps=12)


def describe(body: dict) -> str:
    """Say which ball is nearest to the most colourful pixels, and which ground to the usual one."""
    uri = next(part["image_url"]["url"] for part in body["messages"][-1]["content"] if part["type"] == "image_url")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))).reshape(-1, 3).astype(float)
    bright = pixels[np.argsort(np.ptp(pixels, axis=1))[-50:]].mean(axis=0)
    colour = min(COLOURS, key=lambda name: np.abs(bright - COLOURS[name]).sum())
    ground = min(GROUNDS, key=lambda name: np.abs(np.median(pixels, axis=0) - GROUNDS[name]).sum())
    return f"A {colour} ball rolls slowly across the {ground}. Nothing else is there, and the camera stands still."


@pytest.mark.slow
@pytest.mark.engine
def test_an_unlabelled_folder_becomes_triplets_in_one_recipe(cvr, tmp_path):
    write_balls(tmp_path / "clips")
    home = tmp_path / "run"
    with LLMServer(see=describe) as server:
        out = cvr(
            "run", "folder-to-triplets", "--in", home, "-o", f"folder={tmp_path / 'clips'}",
            "-o", f"seeing=--llm openai -o base_url={server.url} -o model=tiny --cache requests.sqlite",
            "-o", "filters=-f -size -f +duration:low=1 -f -near-duplicate", "-o", "encoder=-o size=96",
            "-o", "mining=-f -text-similarity",
        )  # fmt: skip
    assert out.code == 0, out.err[-2000:]
    described = open_artifact(home / "videos-described").read().to_pylist()
    assert len(described) == 8 == len(server.bodies)
    for row in described:
        ground, colour = Path(row["video_id"]).stem.split("-")[:2]
        assert row["captions"] == [f"A {colour} ball rolls slowly across the {ground}."]
    triplets = open_artifact(home / "annotations" / "mine").read().to_pylist()
    assert triplets
    for row in triplets:
        ends = [set(Path(row[f"{end}_id"]).stem.split("-")[:2]) for end in ("reference", "target")]
        [new] = ends[1] - ends[0]
        assert len(ends[0] & ends[1]) == 1 and new in row["modification"]
    assert (home / "histograms.html").is_file()
    assert len(json.loads((home / "timings.json").read_text())) == 9

"""An embedder with MTEB 2's exact signature whose numbers can be worked out by hand, and a world of films for it."""

from pathlib import Path

import numpy as np
import torch

from cvr_data.media.video import write_mp4
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact
from tests.triplet_tables import triplet, triplets

FRAMES, FPS, SIDE = 8, 4, 32
FILMS = {"rising": np.linspace(20, 230, FRAMES), "falling": np.linspace(230, 20, FRAMES),
         "grey": np.full(FRAMES, 125.0), "dark": np.full(FRAMES, 25.0), "bright": np.full(FRAMES, 225.0)}  # fmt: skip
"""The grey of each frame, on which lies a pattern that is the same in all."""
QUERIES = (("rising", "turn it round", "falling"), ("grey", "darker", "dark"), ("grey", "brighter", "bright"))


class LastGrey:
    """First and last grey of the frames that its collator takes, and how long the text is; queries are told apart."""

    FRAMES = 4

    def __init__(self):
        self.asked = []

    def collate(self, rows):
        for row in rows:
            decoder = row["video"]
            numbers = [number * (len(decoder) - 1) // (self.FRAMES - 1) for number in range(self.FRAMES)]
            assert decoder.metadata.num_frames == len(decoder)
            row["video"] = decoder.get_frames_at(numbers).data
        return {name: [row[name] for row in rows] for name in rows[0]}

    def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **kwargs):
        columns = tuple(name for name in ("text", "video") if name in inputs.dataset.features)
        assert hf_split and hf_subset and set(columns) <= set(task_metadata.modalities)
        self.asked.append((str(getattr(prompt_type, "value", prompt_type)), columns))
        if "video" in inputs.dataset.features:
            inputs.collate_fn = self.collate
        rows = []
        for batch in inputs:
            for number in range(len(next(iter(batch.values())))):
                video = batch["video"][number].float() if "video" in batch else torch.zeros(1, 3, 1, 1)
                text = batch["text"][number] if "text" in batch else ""
                rows.append(grey_embedding(float(video[0].mean()), float(video[-1].mean()), text))
        return np.array(rows)


def grey_embedding(first: float, last: float, text: str) -> list[float]:
    """What the model makes of a film and a text: 'turn it round' swaps, the others shift."""
    if text == "turn it round":
        first, last = last, first
    shift = {"darker": -100, "brighter": 100}.get(text, 0)
    return [first + shift, last + shift, 1.0, float(len(text)) / 100]


def write_films(folder: Path) -> Path:
    """Write the films and their videos table; return the table."""
    (folder / "media").mkdir(parents=True)
    rows = []
    for name, greys in FILMS.items():
        path = folder / "media" / f"{name}.mp4"
        pattern = np.where(np.add.outer(np.arange(SIDE), np.arange(SIDE)) // 8 % 2, 15.0, -15.0)[None, :, :, None]
        pixels = np.round(greys[:, None, None, None] + pattern).astype(np.uint8)
        write_mp4(path, np.broadcast_to(pixels, (FRAMES, SIDE, SIDE, 3)), FPS)
        rows.append({"video_id": name, "captions": [name], "source": "films", "path": str(path), "split": "test"})
    return write_artifact(folder / "videos", "import-films", rows, VIDEOS)


def write_film_triplets(folder: Path, count: int = 3, also: tuple[tuple[str, str, str], ...] = ()) -> Path:
    """Write so many of the three queries, and others, as triplets of the test split."""
    rows = [triplet(*query, split="test") for query in (*QUERIES[:count], *also)]
    return write_artifact(folder / "triplets", "build-triplets", triplets(*rows), videos=folder / "videos")

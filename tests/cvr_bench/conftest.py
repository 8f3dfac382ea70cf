"""A tiny world on disk: videos with splits, hash embeddings, and triplets of two sources of text."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from cvr_data.tables import TRIPLETS, VIDEOS, query_id, triplet_id
from tests.dataset_folders import write_artifact

SPLITS = {"train": 24, "val": 8, "test": 12}
WORDS = ("red", "blue", "green", "small")


@dataclass(frozen=True)
class World:
    """Where the artifacts lie; each names what it was made from."""

    folder: Path

    @property
    def videos(self) -> Path:
        return self.folder / "videos"

    @property
    def embeddings(self) -> Path:
        return self.folder / "embeddings"

    @property
    def triplets(self) -> Path:
        return self.folder / "annotations" / "tiny"


def video_rows() -> list[dict]:
    return [
        {"video_id": f"{split}{number:02d}", "captions": [f"a {split} clip {number}"], "source": "tiny", "split": split}
        for split, count in SPLITS.items()
        for number in range(count)
    ]


def triplet_rows() -> list[dict]:
    """Each video but the last two of a split asks for the next one, in two wordings; one query has two targets."""
    rows = []
    for split, count in SPLITS.items():
        for number in range(count - 3):
            reference, target = f"{split}{number:02d}", f"{split}{number + 1:02d}"
            word = WORDS[number % len(WORDS)]
            change = {"kind": "static" if number % 2 else "action", "slot": "attribute", "before": "x", "after": word}
            for backend, text in (("rules", f"make it {word}"), ("echo", f"it should be {word} now")):
                rows.append(triplet_row(split, reference, text, target, backend, change))
        first = rows[-1]
        rows.append(triplet_row(split, f"{split}00", "make it red", f"{split}02", "rules", first["changes"][0]))
    return rows


def triplet_row(split, reference, text, target, backend, change) -> dict:
    return {
        "triplet_id": triplet_id(reference, text, target),
        "query_id": query_id(reference, text),
        "reference_id": reference,
        "target_id": target,
        "modification": text,
        "style": "short",
        "split": split,
        "changes": [change],
        "backend": backend,
    }


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> World:
    from cvr_data.features.embed import embed
    from cvr_data.features.encoders import ENCODERS

    made = World(tmp_path_factory.mktemp("world"))
    write_artifact(made.videos, "import-tiny", video_rows(), VIDEOS)
    embed(made.videos, "hash", ENCODERS.get("hash").Config(dim=16, frames=2), made.embeddings)
    inputs = {"videos": made.videos, "embeddings": made.embeddings}
    write_artifact(made.folder / "pairs", "mine-pairs", pa.table({"pair_id": ["p"]}), **inputs)
    write_artifact(made.triplets, "build-triplets", triplet_rows(), TRIPLETS, pairs=made.folder / "pairs")
    return made


@pytest.fixture
def in_world(world, tmp_path, monkeypatch) -> Path:
    """A copy of the tiny world as the current folder."""
    monkeypatch.chdir(shutil.copytree(world.folder, tmp_path / "world"))
    return tmp_path / "world"

"""Stored features that mean nothing, for the videos that an annotation file names."""

import csv
from collections.abc import Iterable
from pathlib import Path

from cvr_data.features.embed import embed
from cvr_data.features.encoders import ENCODERS
from cvr_data.tables import VIDEOS
from tests.dataset_folders import write_artifact


def embed_videos(folder: Path, annotations: Path, *, dim: int = 16) -> Path:
    """Write `folder`/emb for the videos of a WebVid-CoVR file, and return it."""
    with annotations.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return embed_ids(folder, {row[name] for row in rows for name in ("pth1", "pth2") if name in row}, dim=dim)


def embed_ids(folder: Path, video_ids: Iterable[str], *, dim: int = 16) -> Path:
    """Write `folder`/emb for these videos, and return it."""
    rows = [{"video_id": name, "captions": [f"video {name}"], "source": "test"} for name in sorted(video_ids)]
    write_artifact(folder / "videos", "import-test", rows, VIDEOS)
    embed(folder / "videos", "hash", ENCODERS.get("hash").Config(dim=dim, frames=2), folder / "emb")
    return folder / "emb"

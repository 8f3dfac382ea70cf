"""Videos and features of a data set that ships without them, because its corpus can be made again.

The manifest of such a data set says how, as the packaged sample's does:

    "corpus": {"name": "synthetic", "options": {"train": 400, "val": 60, "test": 300, "seed": 0}}

They are made once, about a minute for the sample, and kept in the cache folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifacts import key_of, open_artifact
from cvr_data.features.embed import embed
from cvr_data.features.encoders import ENCODERS
from cvr_data.videos.corpora import CORPORA
from cvr_data.videos.import_videos import import_videos

ENCODER = "embedded"


@dataclass(frozen=True)
class Remade:
    """The folders of a corpus made again."""

    videos: Path
    embeddings: Path


def corpus_of(data: Path) -> Mapping[str, Any] | None:
    """Return the name and options of the corpus a data set can be made from again; None where it does not say."""
    return open_artifact(data).manifest.get("corpus") if (data / MANIFEST).is_file() else None


def remade_folder(corpus: Mapping[str, Any], cache: Path) -> Path:
    """Return where the videos and features of a corpus are kept."""
    return cache / "corpora" / f"{corpus['name']}-{key_of(corpus)[:12]}"


def remake(corpus: Mapping[str, Any], cache: Path, encoder: str = ENCODER) -> Remade:
    """Return the videos and features of a corpus, making what is not in the cache yet.

    Raises:
        CvrError: unknown corpus or options.
    """
    folder = remade_folder(corpus, cache)
    config = CORPORA.config(corpus["name"], corpus["options"])
    videos = import_videos(CORPORA.get(corpus["name"]), config, folder / "videos")
    features = embed(videos.path, encoder, ENCODERS.config(encoder), folder / "embeddings")
    manifest = open_artifact(features.path).manifest
    if manifest["dim"] != manifest["text_dim"]:
        from cvr_data.features.fit_heads import Config, fit_heads

        fit_heads(features.path, videos.path, Config())
    return Remade(videos=videos.path, embeddings=features.path)

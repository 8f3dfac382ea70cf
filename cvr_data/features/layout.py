"""What a layout reads and writes: features by id, one at a time, so that a folder of any size fits in memory."""

# Shapes: T frames, P tokens of a frame, D embedding.

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvr_data.core.errors import CvrError, first_few
from cvr_data.features.store import FeatureStore


@dataclass(frozen=True)
class VideoRow:
    """The features of one video; `read` gives (D,), (T, D) or (T, P, D), or raises CvrError."""

    video_id: str
    read: Callable[[], np.ndarray]


@dataclass(frozen=True)
class TextRows:
    """The features of texts, (texts, D)."""

    texts: list[str]
    features: np.ndarray


@dataclass(frozen=True)
class Features:
    """What a folder or file holds."""

    videos: list[VideoRow]
    texts: Iterator[TextRows]


@dataclass(frozen=True)
class Export:
    """What to write: videos of a store by id, and texts if the layout has a place for them."""

    store: FeatureStore
    video_ids: Sequence[str]
    texts: Sequence[str] = ()

    def frames(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each video's float32 (T, D)."""
        for video_id in self.video_ids:
            yield video_id, self.store.frames([video_id]).frames_BTD[0].numpy()


def feature_files(folder: Path, suffix: str) -> list[tuple[str, Path]]:
    """Return (relative path without suffix, path) of every such file, sorted.

    Raises:
        CvrError: there is no such folder.
    """
    if not folder.is_dir():
        raise CvrError(f"{folder} is no folder.")
    paths = sorted(folder.rglob(f"*{suffix}"))
    return [(path.relative_to(folder).with_suffix("").as_posix(), path) for path in paths]


def feature_file(folder: Path, video_id: str, suffix: str) -> Path:
    """Return the file of a video, its folder made. Raises CvrError: the id cannot name a file."""
    if "\0" in video_id or any(part in ("", ".", "..") for part in video_id.split("/")):
        raise CvrError(f"The id {video_id!r} cannot name a file.")
    path = folder / f"{video_id}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def refuse_texts_in_embedding_layout(layout: str, texts: Sequence[str]) -> None:
    """Refuse texts where the layout has no place for them."""
    if texts:
        raise CvrError(f"The layout {layout} keeps no texts ({first_few(map(repr, texts))}); pth does.")

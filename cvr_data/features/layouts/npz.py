"""One `.npz` file: an array per video id; or rows of frames with `keys`, perhaps as bytes of principal components.

Rows of frames are `keys` (N,) or (N, k), the video first, and `feat` (N, C), put in the order of the keys; with `scale`
(C,) the features are feat * scale, and with `pca_components` (D, C) and `pca_mean` (D,) they are brought back to D.
"""

# Shapes: N frames of all videos, T frames of one, C stored, D embedding.

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cvr_data.core.errors import CvrError
from cvr_data.core.reading import reading
from cvr_data.core.whole_files import whole_file
from cvr_data.features.layout import Export, Features, VideoRow, refuse_texts_in_embedding_layout


@dataclass(frozen=True, kw_only=True)
class Config:
    prefix: str = ""
    """What stands before a key in a video id: `video` makes video7 of 7."""
    expand: bool = True
    """Bring principal components back to the width that they were made from."""


FILE = "features.npz"


def read(config: Config, source: Path) -> Features:
    """Return the features of the file, or of the one such file in a folder."""
    arrays = _load(_one_file(source, ".npz"))
    if {"keys", "feat"} <= set(arrays):
        return Features(_rows(config, arrays, source), iter(()))
    return Features([VideoRow(config.prefix + name, partial(arrays.__getitem__, name)) for name in arrays], iter(()))


def write(config: Config, export: Export, folder: Path) -> list[Path]:
    """Write features.npz, one float32 (T, D) array per video id; return its path."""
    refuse_texts_in_embedding_layout("npz", export.texts)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = dict(export.frames())
    if "file" in arrays:
        raise CvrError("NumPy cannot write an array called 'file'; use the layout h5 or pth.")
    with whole_file(folder / FILE) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return [folder / FILE]


def _one_file(source: Path, suffix: str) -> Path:
    """Return the file itself, or the one file of that kind in a folder."""
    if source.is_file():
        return source
    found = sorted(source.glob(f"*{suffix}"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise CvrError(f"{source} should be or hold one {suffix} file, found {names}.")
    return found[0]


def _load(path: Path) -> dict[str, np.ndarray]:
    with reading(path, "an .npz file of plain arrays"):
        # NumPy leaves what it opened itself open where it is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            return {name: content[name] for name in content.files}


def _rows(config: Config, arrays: dict[str, np.ndarray], source: Path) -> list[VideoRow]:
    keys, feat_NC = arrays["keys"], arrays["feat"]
    if feat_NC.ndim != 2 or len(keys) != len(feat_NC):
        raise CvrError(f"{source}: keys {keys.shape} and feat {feat_NC.shape} do not fit.")
    for name, expected in (
        ("scale", feat_NC.shape[1:]),
        ("pca_components", (*arrays.get("pca_mean", keys).shape[:1], feat_NC.shape[1])),
    ):
        if name in arrays and arrays[name].shape != expected:
            raise CvrError(f"{source}: {name} should be {expected}, found {arrays[name].shape}.")
    # converted once, not once per video
    arrays = {name: arrays[name].astype(np.float32) for name in arrays if name.startswith(("scale", "pca_"))} | {
        "feat": feat_NC
    }
    columns = keys.reshape(len(keys), -1)
    order = np.lexsort(columns.T[::-1])
    first = columns[order, 0]
    starts = np.flatnonzero(np.r_[True, first[1:] != first[:-1]]) if len(first) else np.array([], int)
    parts = np.split(order, starts[1:])
    names = [f"{config.prefix}{first[start]}" for start in starts]
    return [VideoRow(name, partial(_frames, config, arrays, rows)) for name, rows in zip(names, parts, strict=True)]


def _frames(config: Config, arrays: dict[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    frames = arrays["feat"][rows].astype(np.float32)
    if "scale" in arrays:
        frames = frames * arrays["scale"]
    if config.expand and "pca_components" in arrays:
        frames = frames @ arrays["pca_components"].T + arrays["pca_mean"]
    return frames

"""FineCVR's `.npy` folders: `embeddings/<encoder>_8_<D>/<id>.npy`, eight frames each; or any folder of `.npy` files.

FineCVR's README calls the folder embeddings and its code embbedings: both are found.
Source: https://github.com/ChenAnno/FDCA_ICLR2025.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.reading import read_array
from cvr_data.core.whole_files import write_array
from cvr_data.features.layout import Export, Features, VideoRow, feature_files, refuse_texts_in_embedding_layout

FRAMES = 8
SPELLINGS = ("embeddings", "embbedings")
"""What FineCVR's README calls the folder, and what its code reads."""
CHUNK = 1024


@dataclass(frozen=True, kw_only=True)
class Config:
    frames: int = 0
    """Frames that every array must have (8 in FineCVR); 0 takes any number."""
    folder: str = "embeddings"
    """What to call the folder written; FineCVR's code looks for embbedings."""


def read(config: Config, source: Path) -> Features:
    """Return the arrays below a folder, or below the one folder of features in its embeddings/ or embbedings/."""
    files = feature_files(_features_folder(source), ".npy")
    return Features([VideoRow(name, partial(_array, path, config.frames)) for name, path in files], iter(()))


def write(config: Config, export: Export, folder: Path) -> list[Path]:
    """Write <folder>/<encoder>_8_<D>/<id>.npy, float32 (8, D); return the folder made."""
    refuse_texts_in_embedding_layout("npy", export.texts)
    return [write_npy_layout(export.video_ids, export.store.artifact.path, folder / config.folder)]


def _features_folder(source: Path) -> Path:
    roots = [source, *(source / name for name in SPELLINGS)]
    parents = [root for root in roots if root.is_dir() and (root != source or source.name in SPELLINGS)]
    folders = [folder for parent in parents for folder in sorted(parent.iterdir()) if folder.is_dir()]
    folders = [folder for folder in folders if not folder.name.startswith(".")]
    if len(folders) > 1:
        names = ", ".join(str(folder.relative_to(source)) for folder in folders)
        raise CvrError(f"{source} has several folders of features ({names}); name one.")
    return folders[0] if folders else source


def _array(path: Path, frames: int) -> np.ndarray:
    array = read_array(path)
    if frames and (array.ndim < 2 or len(array) != frames):
        raise CvrError(f"{path} should have {frames} frames, found shape {array.shape}.")
    return array


def write_npy_layout(video_ids: Sequence[str], embeddings: Path, folder: Path) -> Path:
    """Write <encoder>_8_<D>/<video id>.npy, float32 (8, D), of the stored features; return the folder made.

    Of more than eight frames the middles of eight equal segments are taken; of fewer, the last is repeated, as
    FineCVR's loader does.

    Raises:
        CvrError: a video has no features, or an id that cannot be a file name.
    """
    from cvr_data.features.store import FeatureStore

    store = FeatureStore.open(embeddings, space="raw")
    if bad := [video_id for video_id in video_ids if not _is_safe(video_id)]:
        raise CvrError(f"These ids cannot name a file: {first_few(map(repr, bad))}.")
    made = folder / f"{store.encoder['name']}_{FRAMES}_{store.dim}"
    for start in range(0, len(video_ids), CHUNK):
        chunk = video_ids[start : start + CHUNK]
        features = store.frames(chunk)
        for video_id, frames_TD, mask_T in zip(chunk, features.frames_BTD, features.mask_BT, strict=True):
            path = made / f"{video_id}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_array(path, _eight_frames(frames_TD[mask_T].numpy()))
    return made


def _eight_frames(frames_TD: np.ndarray) -> np.ndarray:
    """Return float32 (8, D) of one frame or more."""
    from cvr_data.media.video import sample_indices

    rows = sample_indices(len(frames_TD), FRAMES)
    rows = np.pad(rows, (0, FRAMES - len(rows)), mode="edge")
    return np.ascontiguousarray(frames_TD[rows], np.float32)


def _is_safe(video_id: str) -> bool:
    parts = video_id.split("/")
    return "\0" not in video_id and all(part not in ("", ".", "..") for part in parts)

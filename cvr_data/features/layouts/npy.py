"""FineCVR's `.npy` folders: `embeddings/<encoder>_8_<D>/<id>.npy`, eight frames each; or any folder of `.npy` files.

FineCVR's README calls the folder embeddings and its code embbedings: both are found.
Source: https://github.com/ChenAnno/FDCA_ICLR2025.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cvr_data.core.errors import CvrError, first_line
from cvr_data.features.finecvr import SPELLINGS, write_features
from cvr_data.features.layout import Export, Features, VideoRow, files_below, refuse_texts


@dataclass(frozen=True, kw_only=True)
class Config:
    frames: int = 0
    """Frames that every array must have (8 in FineCVR); 0 takes any number."""
    folder: str = "embeddings"
    """What to call the folder written; FineCVR's code looks for embbedings."""


def read(config: Config, source: Path) -> Features:
    """Return the arrays below a folder, or below the one folder of features in its embeddings/ or embbedings/."""
    files = files_below(_features_folder(source), ".npy")
    return Features([VideoRow(name, partial(_array, path, config.frames)) for name, path in files], iter(()))


def write(config: Config, export: Export, folder: Path) -> list[Path]:
    """Write <folder>/<encoder>_8_<D>/<id>.npy, float32 (8, D); return the folder made."""
    refuse_texts("npy", export.texts)
    return [write_features(export.video_ids, export.store.artifact.path, folder / config.folder)]


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
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise CvrError(f"{path} is no NumPy array ({first_line(error)}).") from None
    if frames and (array.ndim < 2 or len(array) != frames):
        raise CvrError(f"{path} should have {frames} frames, found shape {array.shape}.")
    return array

"""One `.h5` file with an array per video id; a slash in an id is a group. Needs h5py: pip install "cvr[h5]"."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvr_data.core.errors import CvrError
from cvr_data.core.reading import reading
from cvr_data.core.whole_files import whole_file
from cvr_data.features.layout import Export, Features, VideoRow, refuse_texts_in_embedding_layout

FILE = "features.h5"


@dataclass(frozen=True, kw_only=True)
class Config:
    group: str = "/"
    """Group of the file that holds the arrays."""


def read(config: Config, source: Path) -> Features:
    """Return the arrays below a group of the file."""
    path = source / FILE if source.is_dir() else source
    h5py = _h5py()
    names: list[str] = []

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            names.append(name)

    with reading(path, "HDF5"), h5py.File(path, "r") as file:
        if config.group not in file:
            raise CvrError(f"{path} has no group {config.group!r} (it has {', '.join(file) or 'none'}).")
        file[config.group].visititems(collect)
    return Features([VideoRow(name, partial(_array, path, config.group, name)) for name in sorted(names)], iter(()))


def write(config: Config, export: Export, folder: Path) -> list[Path]:
    """Write features.h5, one float32 (T, D) array per video id; return its path."""
    refuse_texts_in_embedding_layout("h5", export.texts)
    h5py = _h5py()
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / FILE) as temporary, h5py.File(temporary, "w") as file:
        group = file.require_group(config.group)
        for video_id, frames_TD in export.frames():
            group.create_dataset(video_id, data=frames_TD)
    return [folder / FILE]


def _array(path: Path, group: str, name: str) -> np.ndarray:
    with reading(path, "HDF5"), _h5py().File(path, "r") as file:
        value = file[group][name][()]
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        raise CvrError(f"{path}: {name} should hold numbers, found {getattr(value, 'dtype', type(value).__name__)}.")
    return value


def _h5py() -> Any:
    try:
        import h5py
    except ModuleNotFoundError:
        raise CvrError('The layout h5 needs h5py: pip install "cvr[h5]".') from None
    return h5py

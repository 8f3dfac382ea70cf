"""CoVR's `.pth` files: a tensor per video, `<id>.pth`, and `txt2_*.pth` dictionaries of texts.

A dictionary is {"texts": [...], "feats": (N, D)}, or {"ids": [...], "embs": (N, ...)} of many images at once.
Source: https://github.com/lucas-ventura/CoVR (MIT), tools/embs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cvr_data.core.errors import CvrError
from cvr_data.core.torch_files import load_torch_file, write_torch
from cvr_data.features.layout import Export, Features, TextRows, VideoRow, feature_file, feature_files

TEXTS = "txt2_"


@dataclass(frozen=True, kw_only=True)
class Config:
    texts: str = "texts"
    """Name of the texts written: the file is txt2_NAME.pth, where CoVR looks for the stem of its CSV."""


def read(config: Config, source: Path) -> Features:
    """Return the features below a folder; only tensors and plain containers are unpickled."""
    files = feature_files(source, ".pth") + feature_files(source, ".pt")
    dictionaries = [path for name, path in files if _is_dictionary(name)]
    videos = [VideoRow(name, partial(_tensor, path)) for name, path in files if not _is_dictionary(name)]
    galleries = [row for path in dictionaries if not _is_of_texts(path) for row in _gallery(path)]
    return Features(videos + galleries, _texts([path for path in dictionaries if _is_of_texts(path)]))


def write(config: Config, export: Export, folder: Path) -> list[Path]:
    """Write <id>.pth, float32 (T, D), and txt2_NAME.pth where there are texts; return what was made."""
    for video_id, frames_TD in export.frames():
        write_torch(feature_file(folder, video_id, ".pth"), torch.from_numpy(frames_TD.copy()))
    if not export.texts:
        return [folder]
    made = feature_file(folder, f"{TEXTS}{config.texts}", ".pth")
    write_torch(made, {"texts": list(export.texts), "feats": export.store.texts(export.texts).pooled_BD.clone()})
    return [folder, made]


def _is_dictionary(name: str) -> bool:
    stem = name.rsplit("/", 1)[-1]
    return _is_of_texts(Path(stem)) or stem == "all_embs"


def _is_of_texts(path: Path) -> bool:
    return path.name.startswith(TEXTS)


def _texts(paths: list[Path]) -> Iterator[TextRows]:
    for path in paths:
        texts, feats = _pair(path, "texts", "feats")
        yield TextRows([str(text) for text in texts], feats)


def _gallery(path: Path) -> list[VideoRow]:
    ids, embs = _pair(path, "ids", "embs")
    # One image is one frame, whatever else a row holds.
    return [VideoRow(str(key), partial(embs.__getitem__, slice(at, at + 1))) for at, key in enumerate(ids)]


def _pair(path: Path, keys: str, values: str) -> tuple[list[Any], np.ndarray]:
    content = load_torch_file(path)
    if not isinstance(content, dict) or not {keys, values} <= set(content):
        raise CvrError(f"{path} should be a dictionary of {keys!r} and {values!r}, found {type(content).__name__}.")
    array = _array(path, content[values])
    names = content[keys].tolist() if isinstance(content[keys], torch.Tensor) else list(content[keys])
    if array.ndim < 2 or len(names) != len(array):
        raise CvrError(f"{path}: {len(names)} {keys} and {values} of shape {array.shape} do not fit.")
    return names, array


def _tensor(path: Path) -> np.ndarray:
    return _array(path, load_torch_file(path))


def _array(path: Path, value: Any) -> np.ndarray:
    if not isinstance(value, torch.Tensor):
        raise CvrError(f"{path} should hold a tensor, found {type(value).__name__}.")
    return value.detach().float().numpy()

"""FineCVR's feature folder: one array of eight frames per video."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cvr_data.core.errors import CvrError, first_few, first_line

FRAMES = 8
SPELLINGS = ("embeddings", "embbedings")
"""What FineCVR's README calls the folder, and what its code reads."""
CHUNK = 1024


def write_features(video_ids: Sequence[str], embeddings: Path, folder: Path) -> Path:
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
            np.save(path, eight_frames(frames_TD[mask_T].numpy()), allow_pickle=False)
    return made


def read_features(root: Path, video_ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Return video id -> float32 (8, D) of the feature folder under `root`, spelled either way.

    Raises:
        CvrError: there is no such folder, more than one, or an array is absent or no (8, D).
    """
    folders = [folder for name in SPELLINGS for folder in sorted((root / name).glob("*")) if folder.is_dir()]
    if len(folders) != 1:
        found = ", ".join(str(folder.relative_to(root)) for folder in folders) or "none"
        raise CvrError(f"{root} should have one folder of features in {' or '.join(SPELLINGS)}, found {found}.")
    return {video_id: _read(folders[0] / f"{video_id}.npy") for video_id in video_ids}


def eight_frames(frames_TD: np.ndarray) -> np.ndarray:
    """Return float32 (8, D) of one frame or more."""
    from cvr_data.media.video import sample_indices

    rows = sample_indices(len(frames_TD), FRAMES)
    rows = np.pad(rows, (0, FRAMES - len(rows)), mode="edge")
    return np.ascontiguousarray(frames_TD[rows], np.float32)


def _is_safe(video_id: str) -> bool:
    parts = video_id.split("/")
    return "\0" not in video_id and all(part not in ("", ".", "..") for part in parts)


def _read(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise CvrError(f"{path} does not exist.") from None
    except (ValueError, EOFError) as error:
        raise CvrError(f"{path} is no NumPy array ({first_line(error)}).") from None
    if array.ndim != 2 or len(array) != FRAMES:
        raise CvrError(f"{path} should be ({FRAMES}, D), found {array.shape}.")
    return array.astype(np.float32)

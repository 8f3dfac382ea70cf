"""Groups of videos that show the same thing, and splits that no group straddles.

Two videos are near-duplicates when their pooled raw frame embeddings have a cosine above the threshold, or when all
their sampled frames have equal perceptual hashes. A shared caption is no sign: on MSR-VTT it chains two thirds of all
videos into one group. Groups are computed here and nowhere else; every later table carries the group's id.
"""

# Shapes: B videos, T frames, H height, W width, D embedding.

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from cvr_data.errors import CvrError
from cvr_data.tables import VIDEOS, check_columns, content_id

VERSION = 1
SPLITS = ("test", "val", "train")
"""Strongest first: a video is dropped when a near-duplicate of it is in a stronger split."""
BLOCK = 2048
HASH_SIDE = 8
HASH_MARGIN = 4
"""Levels, of 256, by which a cell must be brighter than its neighbour: noise of flat areas stays below."""


@dataclass(frozen=True, kw_only=True)
class Config:
    threshold: float = 0.95
    """Cosine of pooled raw frame embeddings from which two videos are near-duplicates."""
    val: float = 0.1
    """Share of the groups that go to val where the corpus gives no split."""
    test: float = 0.1
    """Share of the groups that go to test where the corpus gives no split."""
    val_as_test: bool = False
    """For a corpus whose test videos are not at hand: its val split becomes test, its own test videos are dropped, and
    the share `val` of its train groups becomes val, so that no checkpoint is chosen on what is scored."""
    need_features: bool = False
    """Drop videos that the embeddings lack, so that nothing is mined that cannot be scored."""
    seed: int = 0
    """Of the split; the same video goes to the same split whatever else is in the corpus, unless it is grouped."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, got {self.threshold}.")
        if self.val < 0 or self.test < 0 or self.val + self.test >= 1:
            raise ValueError(f"val and test must be shares that leave some for train, got {self.val} and {self.test}.")


def split_videos(config: Config, videos: pa.Table, group_ids: Sequence[str]) -> pa.Table:
    """Return the videos with `group_id`, `split` and `drop_reason`.

    A split given by the corpus wins. Videos without one follow their group: into the strongest split the corpus gave
    a member of it, else into one drawn from the group's id. A video whose group reaches into a stronger split is
    removed with the reason `near_duplicate_of_test` (or `_val`).

    Raises:
        CvrError: a split that is none of train, val and test.
    """
    given = check_columns(videos, VIDEOS, "videos").column("split").to_pylist()
    unknown = sorted({split for split in given if split is not None} - set(SPLITS))
    if unknown:
        raise CvrError(f"videos: split must be train, val or test, got {', '.join(unknown)}.")
    roles = [_role(config, split, group_id) for split, group_id in zip(given, group_ids, strict=True)]
    strongest: dict[str, str] = {}
    for group_id, split in zip(group_ids, roles, strict=True):
        if split is not None:
            strongest[group_id] = min(split, strongest.get(group_id, split), key=SPLITS.index)
    groups_split = {group_id: strongest.get(group_id) or _drawn_split(config, group_id) for group_id in group_ids}
    splits = [split or groups_split[group_id] for split, group_id in zip(roles, group_ids, strict=True)]
    reasons = [
        None if split == groups_split[group_id] else f"near_duplicate_of_{groups_split[group_id]}"
        for split, group_id in zip(splits, group_ids, strict=True)
    ]
    if config.val_as_test:
        reasons = ["not_at_hand" if split == "test" else reason for split, reason in zip(given, reasons, strict=True)]
    columns = {"split": splits, "group_id": list(group_ids), "drop_reason": reasons}
    for name, values in columns.items():
        videos = videos.drop_columns([name]) if name in videos.column_names else videos
        videos = videos.append_column(name, pa.array(values, pa.string()))
    return videos


def group_ids(video_ids: Sequence[str], pairs: Iterable[tuple[int, int]]) -> list[str]:
    """Return one id per video: near-duplicates, directly or through others, share the one of the first by name."""
    parents = list(range(len(video_ids)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for first, second in pairs:
        parents[root(second)] = root(first)
    roots = [root(index) for index in range(len(video_ids))]
    names: dict[int, str] = {}
    for index, found in enumerate(roots):
        names[found] = min(video_ids[index], names.get(found, video_ids[index]))
    return [content_id(names[found]) for found in roots]


def similar_pairs(pooled_BD: np.ndarray, threshold: float) -> Iterable[tuple[int, int]]:
    """Yield the (row, later row) pairs of unit vectors whose cosine is at least the threshold.

    Every pair is compared, in blocks: 100,000 videos of 1280 numbers take about a minute on two cores.
    """
    for start in range(0, len(pooled_BD), BLOCK):
        block = pooled_BD[start : start + BLOCK]
        for other in range(start, len(pooled_BD), BLOCK):
            rows, columns = np.nonzero(block @ pooled_BD[other : other + BLOCK].T >= threshold)
            later = columns + other > rows + start
            yield from zip((rows[later] + start).tolist(), (columns[later] + other).tolist(), strict=True)


def equal_pairs(hashes: Sequence[str]) -> Iterable[tuple[int, int]]:
    """Yield (first, other) pairs of rows with the same hash; an empty hash equals nothing."""
    first_of: dict[str, int] = {}
    for row, value in enumerate(hashes):
        if value and first_of.setdefault(value, row) != row:
            yield first_of[value], row


def perceptual_hash(frames_THWC: np.ndarray) -> str:
    """Return 32 hex digits that are equal for copies of a video, scaled ones included; empty where it is blank.

    Each frame is averaged to 8 x 9 cells per colour; bits say which cells are clearly brighter, or darker, than the
    next. A re-encoded copy may differ in a bit: those are found by their embeddings.
    """
    frames, height, width, colours = frames_THWC.shape
    down, across = _cell_weights(HASH_SIDE, height), _cell_weights(HASH_SIDE + 1, width)
    # One frame at a time, so that its float64 pixels stay in the cache: four times faster than one einsum.
    rows = np.stack([down @ frame.reshape(height, -1).astype(np.float64) for frame in frames_THWC])
    rows_TRWC = rows.reshape(frames, HASH_SIDE, width, colours)
    cells = np.einsum("sw,trwc->trsc", across, rows_TRWC, optimize=True)
    steps = np.diff(cells, axis=2)
    bits = np.stack([steps > HASH_MARGIN, steps < -HASH_MARGIN])
    return hashlib.sha256(np.packbits(bits).tobytes()).hexdigest()[:32] if bits.any() else ""


def media_hashes(paths: Sequence[Path | None]) -> list[str]:
    """Return the perceptual hash of each video's frames, decoding them; empty where there is nothing to decode."""
    from cvr_data.video import UnreadableVideo, read_frames

    hashes = []
    for path in paths:
        try:
            hashes.append(perceptual_hash(read_frames(path, size=64)) if path else "")
        except UnreadableVideo:
            hashes.append("")
    return hashes


def _role(config: Config, given: str | None, group_id: str) -> str | None:
    """The split that a given one stands for; None where the group decides."""
    if not config.val_as_test or given is None:
        return given
    if given == "train":
        return "val" if _draw(config, group_id) < config.val else "train"
    # What is dropped stands in no group's way.
    return "test" if given == "val" else "train"


def _drawn_split(config: Config, group_id: str) -> str:
    draw = _draw(config, group_id)
    if draw < config.test:
        return "test"
    return "val" if draw < config.test + config.val else "train"


def _draw(config: Config, group_id: str) -> float:
    """A number in [0, 1) that only the seed and the group decide."""
    return int(content_id(str(config.seed), group_id), 16) / 16**16


def _cell_weights(cells: int, size: int) -> np.ndarray:
    """Return (cells, size) shares of each pixel in the mean of each cell, exact where a border cuts a pixel."""
    bounds = np.linspace(0, size, cells + 1)
    pixels = np.arange(size)
    overlap = np.minimum(bounds[1:, None], pixels + 1) - np.maximum(bounds[:-1, None], pixels)
    return overlap.clip(min=0) * (cells / size)

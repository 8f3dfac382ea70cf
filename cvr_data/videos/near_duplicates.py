"""Groups of videos that show the same thing, and splits that no group and no recording straddles.

Two videos are near-duplicates when their pooled raw frame embeddings have a cosine above the threshold, or when all
their sampled frames have equal perceptual hashes. A shared caption is no sign: on MSR-VTT it chains two thirds of all
videos into one group. `kin.py` finds them, and nothing else does; every later table carries the group's id. Clips of
one recording (`recordings.py`) share a split as near-duplicates do, and are no group for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.tables import VIDEOS, content_id

VERSION = 2
SPLITS = ("test", "val", "train")
"""Strongest first: a video is dropped when a near-duplicate of it is in a stronger split."""
_ALIKE, _SAME_RECORDING = "near_duplicate_of", "same_recording_as"


@dataclass(frozen=True, kw_only=True)
class Config:
    threshold: float = 0.95
    """Cosine of pooled raw frame embeddings from which two videos are near-duplicates."""
    val: float = 0.1
    """Share of the groups (with their recordings) that go to val where the corpus gives no split."""
    test: float = 0.1
    """Share of the groups that go to test where the corpus gives no split."""
    val_as_test: bool = False
    """For a corpus whose test videos are not at hand: its val split becomes test, its own test videos are dropped, and
    the share `val` of its train groups becomes val, so that no checkpoint is chosen on what is scored."""
    given: Literal["keep", "ignore"] = "keep"
    """What becomes of splits that the corpus gave; `ignore` reads none of them, so that all videos are dealt anew."""
    need_features: bool = False
    """Drop videos that the embeddings lack, so that nothing is mined that cannot be scored."""
    seed: int = 0
    """Of the split; the same video goes to the same split whatever else is in the corpus, unless it is grouped."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, got {self.threshold}.")
        if self.val < 0 or self.test < 0 or self.val + self.test >= 1:
            raise ValueError(f"val and test must be shares that leave some for train, got {self.val} and {self.test}.")


def split_videos(
    config: Config, videos: pa.Table, group_ids: Sequence[str], kin_ids: Sequence[str] | None = None,
    dealt: Mapping[str, str] | None = None,
) -> pa.Table:  # fmt: skip
    """Return the videos with `group_id`, `split` and `drop_reason`.

    A split given by the corpus wins. Videos without one follow their kin: into the strongest split the corpus gave
    one of them, else into one drawn from their id. A video that has kin in a stronger split is removed with the reason
    `near_duplicate_of_test` (or `_val`) where its own group reaches there, else `same_recording_as_test` (or `_val`).

    Args:
        config: the shares.
        videos: the videos.
        group_ids: equal for near-duplicates.
        kin_ids: equal for near-duplicates and clips of one recording, directly or through others; default: group_ids.
        dealt: kin -> split, for those that are not drawn (`videos.deal`).

    Raises:
        CvrError: a split that is none of train, val and test.
    """
    given = check_columns(videos, VIDEOS, "videos").column("split").to_pylist()
    unknown = sorted({split for split in given if split is not None} - set(SPLITS))
    if unknown:
        raise CvrError(f"videos: split must be train, val or test, got {', '.join(unknown)}.")
    kin_ids = group_ids if kin_ids is None else kin_ids
    roles = [_split_role(config, split, kin_id) for split, kin_id in zip(given, kin_ids, strict=True)]
    strongest = _strongest(kin_ids, roles)
    known = {**(dealt or {}), **strongest}
    kin_split = {kin_id: known.get(kin_id) or _drawn_split(config, kin_id) for kin_id in kin_ids}
    splits = [split or kin_split[kin_id] for split, kin_id in zip(roles, kin_ids, strict=True)]
    of_group = _strongest(group_ids, splits)
    reasons = [
        None if split == best else f"{_ALIKE if of_group[group_id] == best else _SAME_RECORDING}_{best}"
        for split, group_id, best in zip(splits, group_ids, (kin_split[kin_id] for kin_id in kin_ids), strict=True)
    ]
    if config.val_as_test:
        reasons = ["not_at_hand" if split == "test" else reason for split, reason in zip(given, reasons, strict=True)]
    columns = {"split": splits, "group_id": list(group_ids), "drop_reason": reasons}
    for name, values in columns.items():
        videos = videos.drop_columns([name]) if name in videos.column_names else videos
        videos = videos.append_column(name, pa.array(values, pa.string()))
    return videos


def _strongest(ids: Sequence[str], splits: Sequence[str | None]) -> dict[str, str]:
    """Return id -> the strongest split of those that have it; ids of no split are not there."""
    strongest: dict[str, str] = {}
    for each, split in zip(ids, splits, strict=True):
        if split is not None:
            strongest[each] = min(split, strongest.get(each, split), key=SPLITS.index)
    return strongest


def _split_role(config: Config, given: str | None, kin_id: str) -> str | None:
    """The split that a given one stands for; None where the group decides."""
    if not config.val_as_test or given is None:
        return given
    if given == "train":
        return "val" if _split_draw(config, kin_id) < config.val else "train"
    # What is dropped stands in no group's way.
    return "test" if given == "val" else "train"


def _drawn_split(config: Config, kin_id: str) -> str:
    draw = _split_draw(config, kin_id)
    if draw < config.test:
        return "test"
    return "val" if draw < config.test + config.val else "train"


def _split_draw(config: Config, kin_id: str) -> float:
    """A number in [0, 1) that only the seed and the kin decide."""
    return int(content_id(str(config.seed), kin_id), 16) / 16**16

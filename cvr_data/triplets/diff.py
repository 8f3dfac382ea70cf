"""What changed between two versions of a dataset: triplets, texts, videos, splits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from cvr_data.tables import TRIPLETS, VIDEOS
from cvr_data.triplets.dataset import Dataset, videos_of_triplets

IDENTITY = ("triplet_id", "query_id", "reference_id", "target_id", "modification")
VIDEO_COLUMNS = (
    "captions", "description", "content_sha256", "licence", "split", "group_id", "recording_id", "start_s", "end_s",
    "duration_s",
)  # fmt: skip
EXAMPLES = 3
Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class FieldChange:
    """How two sets of rows with ids differ."""

    before: int
    after: int
    added: list[str]
    removed: list[str]
    changed: dict[str, list[str]]
    """Column -> ids of rows in both whose value differs."""

    @property
    def is_none(self) -> bool:
        """Whether nothing differs."""
        return not (self.added or self.removed or self.changed)

    def as_json(self) -> dict[str, Any]:
        """Return counts and a few ids of each kind."""
        return {
            "before": self.before, "after": self.after, "added": _some(self.added), "removed": _some(self.removed),
            "changed": {name: _some(ids) for name, ids in self.changed.items()},
        }  # fmt: skip


@dataclass(frozen=True)
class DatasetDifference:
    """All that changed from one version to the next."""

    triplets: FieldChange
    videos: FieldChange
    """Of references and targets; what a videos table says is compared where both versions have one."""
    texts: FieldChange
    """Distinct modification texts."""
    reworded: list[str]
    """Triplets of the first version whose two videos have a text of that style and backend still, but not this one."""
    moved_triplets: dict[str, list[str]]
    """`train -> test` -> triplets that changed their split."""
    moved_videos: dict[str, list[str]]

    @property
    def is_none(self) -> bool:
        """Whether the versions are alike."""
        return self.triplets.is_none and self.videos.is_none

    def as_json(self) -> dict[str, Any]:
        """Return counts and a few ids of each kind."""
        return {
            "triplets": self.triplets.as_json(),
            "videos": self.videos.as_json(),
            "texts": self.texts.as_json(),
            "reworded": _some(self.reworded),
            "moved": {
                "triplets": {name: _some(ids) for name, ids in self.moved_triplets.items()},
                "videos": {name: _some(ids) for name, ids in self.moved_videos.items()},
            },
        }


def dataset_difference(before: Dataset, after: Dataset) -> DatasetDifference:
    """Return what changed from one version to the next."""
    triplets = [_by_id(dataset.triplets, "triplet_id") for dataset in (before, after)]
    videos = [_videos(dataset) for dataset in (before, after)]
    texts: list[Rows] = [
        {text: {} for text in set(dataset.triplets["modification"].to_pylist())} for dataset in (before, after)
    ]
    columns = [name for name in TRIPLETS.names if name not in IDENTITY]
    return DatasetDifference(
        triplets=_compare_rows(triplets[0], triplets[1], columns),
        videos=_compare_rows(videos[0], videos[1], VIDEO_COLUMNS),
        texts=_compare_rows(texts[0], texts[1], ()),
        reworded=_reworded(triplets[0], triplets[1]),
        moved_triplets=_moved(triplets[0], triplets[1]),
        moved_videos=_moved(_video_splits(before), _video_splits(after)),
    )


def _compare_rows(before: Rows, after: Rows, columns: Sequence[str]) -> FieldChange:
    """Return how rows differ; a column that one side lacks is not compared."""
    both = sorted(key for key in before.keys() & after.keys() if before[key] != after[key])
    changed = {}
    for name in columns:
        ids = [key for key in both if name in before[key] and name in after[key] and
               before[key][name] != after[key][name]]  # fmt: skip
        if ids:
            changed[name] = ids
    return FieldChange(
        len(before), len(after), sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys()), changed
    )


def _by_id(table: pa.Table, column: str) -> Rows:
    return {row[column]: row for row in table.to_pylist()}


def _videos(dataset: Dataset) -> Rows:
    used = videos_of_triplets(dataset.triplets)
    rows: Rows = {video_id: {} for video_id in used}
    if dataset.videos is not None:
        names = [name for name in VIDEOS.names if name in dataset.videos.column_names]
        known = _by_id(dataset.videos.select(names), "video_id")
        rows |= {video_id: known[video_id] for video_id in used & known.keys()}
    return rows


def _video_splits(dataset: Dataset) -> Rows:
    """Split of each used video, as its triplets say; a video of several splits has them all."""
    splits: dict[str, set[str]] = {}
    for row in dataset.triplets.select(["reference_id", "target_id", "split"]).to_pylist():
        for end in ("reference_id", "target_id"):
            splits.setdefault(row[end], set()).add(row["split"])
    return {video_id: {"split": "+".join(sorted(found))} for video_id, found in splits.items()}


def _reworded(before: Rows, after: Rows) -> list[str]:
    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in ("reference_id", "target_id", "style", "backend"))

    there = {key(row) for row in after.values()}
    return sorted(name for name, row in before.items() if name not in after and key(row) in there)


def _moved(before: Rows, after: Rows) -> dict[str, list[str]]:
    moved: dict[str, list[str]] = {}
    for name in sorted(before.keys() & after.keys()):
        old, new = before[name]["split"], after[name]["split"]
        if old != new:
            moved.setdefault(f"{old} -> {new}", []).append(name)
    return moved


def _some(ids: list[str]) -> dict[str, Any]:
    return {"count": len(ids), "such_as": ids[:EXAMPLES]}

"""Where weights come from: the feature space that they read, and the videos that they learned from.

Beside the weights, `training/lineage.json` has the space and `training/videos.parquet` (video_id, split) the videos.
A checkpoint that lies in such a folder is refused over features of another space, and its videos are looked for among
those that are scored; published weights come without.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.models.parts.weights import TRAINING
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import read_json
from cvr_data.core.errors import CvrError
from cvr_data.core.reading import check_json_value_types, reading
from cvr_data.core.whole_files import parquet_bytes, read_parquet, write_bytes
from cvr_data.features.heads import videos_of_heads
from cvr_data.features.store import HEADS_FOLDER, FeatureStore

logger = logging.getLogger(__name__)
LINEAGE, VIDEOS = "lineage.json", "videos.parquet"


@dataclass(frozen=True)
class Lineage:
    """What is known of weights."""

    space: Mapping[str, Any] | None
    """None of weights that read clips instead of features."""
    videos: Mapping[str, frozenset[str]]
    """Split (train or val) -> the videos of its triplets."""


def write_model_lineage(
    folder: Path, space: Mapping[str, Any] | None, training_set: TrainingSet, validation: Task | None,
    starts: Iterable[Path] = (),
) -> None:  # fmt: skip
    """Write what the weights of a training folder come from; what those it starts from saw, they saw too."""
    train = {*training_set.reference_ids, *training_set.target_ids}
    val = query_videos_of_model(validation) if validation is not None else set()
    for earlier in filter(None, map(read_model_lineage, starts)):
        train |= earlier.videos["train"]
        val |= earlier.videos["val"]
    rows = [(name, split) for split, names in (("train", train), ("val", val)) for name in sorted(names)]
    table = pa.table({"video_id": [name for name, _ in rows], "split": [split for _, split in rows]})
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / VIDEOS, parquet_bytes(table))
    write_bytes(folder / LINEAGE, (json.dumps({"space": space}, indent=1, sort_keys=True) + "\n").encode())


def read_model_lineage(checkpoint: Path) -> Lineage | None:
    """Return what is known of a checkpoint: a result folder, a training folder, or a file in one; else None."""
    for folder in (checkpoint, checkpoint / TRAINING, checkpoint.parent):
        if (folder / LINEAGE).is_file():
            record = read_json(folder / LINEAGE, dict)
            with reading(folder / LINEAGE, "the lineage of weights"):
                check_json_value_types(record, {"space": dict | None})
            rows = read_parquet(folder / VIDEOS, ["video_id", "split"]).to_pylist()
            splits = ("train", "val")
            videos = {split: frozenset(row["video_id"] for row in rows if row["split"] == split) for split in splits}
            return Lineage(record["space"], videos)
    return None


def check_model_lineage_space(checkpoint: Path, space: Mapping[str, Any] | None) -> None:
    """Refuse weights over features of another space than they learned from. Raises CvrError: says what differs."""
    lineage = read_model_lineage(checkpoint)
    if lineage is None or lineage.space is None or space is None:
        return
    known = {name for name in {*lineage.space, *space} if lineage.space.get(name) != space.get(name)}
    if known:
        said = "; ".join(f"{name} {lineage.space.get(name)}, here {space.get(name)}" for name in sorted(known))
        raise CvrError(f"{checkpoint} was trained on features of another space: {said}.")


def query_videos_of_model(task: Task) -> set[str]:
    """Return the videos that queries are about: references and targets."""
    references = {query.reference.item_id for query in task.queries if query.reference is not None}
    return references.union(*task.targets.values())


def model_lineage_record(store: FeatureStore, checkpoints: Mapping[str, Path], task: Task) -> dict[str, Any]:
    """Return the feature space of a result, and how much of the task is about videos that heads or weights saw.

    `checkpoints` has what to call each.

    Whoever scores such queries is warned.
    """
    fitted: dict[str, AbstractSet[str] | None] = {}
    if store.heads is not None:
        fitted["heads"] = videos_of_heads(store.artifact.path / HEADS_FOLDER)
    for what, checkpoint in checkpoints.items():
        if (lineage := read_model_lineage(checkpoint)) is not None:
            fitted |= {what: lineage.videos["train"], f"choice of the {what}": lineage.videos["val"]}
    found = {what: share_seen_by_model(names, task) for what, names in fitted.items() if names is not None}
    for what, counts in found.items():
        if counts["queries_about_them"]:
            about, queries = counts["queries_about_them"], counts["queries"]
            logger.warning("%d of %d queries are about videos that the %s learned from", about, queries, what)
    return {"space": store.space(), "seen_before": found}


def share_seen_by_model(names: AbstractSet[str], task: Task) -> dict[str, int]:
    """Return how much of a task is about videos that something was fitted to."""
    targets: Sequence[frozenset[str]] = [task.targets[query.query_id] for query in task.queries]
    references = [query.reference.item_id if query.reference else "" for query in task.queries]
    about = [not names.isdisjoint({reference, *found}) for reference, found in zip(references, targets, strict=True)]
    return {
        "videos": len(names),
        "queries": len(task.queries),
        "queries_about_them": sum(about),
        "queries_that_target_them": sum(not names.isdisjoint(found) for found in targets),
        "gallery_items": sum(item.item_id in names for item in task.gallery),
    }

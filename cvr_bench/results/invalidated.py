"""Which results on a dataset no longer hold for its next version.

A result stands as long as its queries, their targets, the ranked videos and, of a trained model, the training triplets
are as they were; what else changes in a dataset does not touch it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_bench.results.result import RESULT, STAGE, Result, read_result
from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.triplets.dataset import Dataset

TRAINING = ("train", "val")
"""Splits that make a trained model: val chooses the checkpoint."""


@dataclass(frozen=True)
class Standing:
    """What a new version of a dataset means for a result on the old one."""

    path: Path
    model: str
    split: str
    reasons: list[str]
    """Why it no longer holds; none if it does."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"path": str(self.path), "model": self.model, "split": self.split, "holds": not self.reasons,
                "reasons": self.reasons}  # fmt: skip


def find_results(folders: Iterable[Path]) -> list[Path]:
    """Return the result folders among and below the folders. Raises CvrError: a folder holds none."""
    found: list[Path] = []
    for folder in folders:
        below = [path.parent for path in sorted(folder.glob(f"**/{RESULT}")) if (path.parent / MANIFEST).exists()]
        if not below:
            raise CvrError(f"--results {folder}: there is no result of cvr bench in it.")
        found += below
    return list(dict.fromkeys(found))


def result_standings(results: Iterable[Path], before: Dataset, after: Dataset) -> list[Standing]:
    """Return how the results on the first version stand; results on anything else are left out."""
    found = []
    for path in results:
        inputs = open_artifact(path, STAGE).manifest["inputs"]
        if inputs.get("triplets", {}).get("key") == before.artifact.key:
            result = read_result(path)
            found.append(Standing(path, result.model, str(result.record["split"]), _reasons(result, before, after)))
    return found


def _reasons(result: Result, before: Dataset, after: Dataset) -> list[str]:
    split = str(result.record["split"])
    old, new = _targets_of_queries(before, split), _targets_of_queries(after, split)
    both = old.keys() & new.keys()
    videos = [_gallery(dataset, split) for dataset in (before, after)]
    ranked = videos[0].keys() & videos[1].keys()
    counts = {
        "queries are gone": len(old.keys() - new.keys()),
        "queries are new": len(new.keys() - old.keys()),
        "queries have other targets": sum(old[name] != new[name] for name in both),
        "videos left the gallery": len(videos[0].keys() - videos[1].keys()),
        "videos joined the gallery": len(videos[1].keys() - videos[0].keys()),
        "ranked videos have other content": sum(videos[0][name] != videos[1][name] for name in ranked),
    }
    if result.record.get("training"):
        trained = [
            dataset.triplets.filter(pc.is_in(dataset.triplets["split"], pa.array(TRAINING)))
            for dataset in (before, after)
        ]
        rows = [set(table["triplet_id"].to_pylist()) for table in trained]
        counts["training triplets are gone"] = len(rows[0] - rows[1])
        counts["training triplets are new"] = len(rows[1] - rows[0])
    return [f"{count} {what}" for what, count in counts.items() if count]


def _targets_of_queries(dataset: Dataset, split: str) -> dict[str, set[str]]:
    rows = dataset.triplets.filter(pc.equal(dataset.triplets["split"], split))
    found: dict[str, set[str]] = {}
    for query_id, target_id in zip(rows["query_id"].to_pylist(), rows["target_id"].to_pylist(), strict=True):
        found.setdefault(query_id, set()).add(target_id)
    return found


def _gallery(dataset: Dataset, split: str) -> dict[str, str | None]:
    """Ids of the videos of a split, and of those its triplets name, with the hash of the content where it is known."""
    rows = dataset.triplets.filter(pc.equal(dataset.triplets["split"], split))
    named = {*rows["reference_id"].to_pylist(), *rows["target_id"].to_pylist()}
    if dataset.videos is None:
        return dict.fromkeys(named)
    names = ("video_id", "split", "content_sha256")
    table = zip(*(dataset.videos[name].to_pylist() for name in names), strict=True)
    return dict.fromkeys(named) | {
        video_id: digest for video_id, of_split, digest in table if of_split == split or video_id in named
    }

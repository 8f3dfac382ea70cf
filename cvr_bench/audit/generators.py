"""Whether the texts that are scored, or were learned from, come from a trained generator that saw what is scored.

`cvr train-generator` keeps its examples beside the weights, `cvr generate-modifications` names the generator among its
inputs, and triplets name their texts: so a benchmark finds what wrote its texts, and what that was trained on. A
generator that learned from a scored video knows what people ask of it, and a model that learns from its texts is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_bench.tasks.task import Task
from cvr_data.core.artifacts import Artifact
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.lineage import lineage
from cvr_data.language.normalise import normalised
from cvr_data.modifications.training.trained import INPUT, is_generator


@dataclass(frozen=True)
class Seen:
    """What of the scored data a generator was trained on, or chosen by."""

    generator: str
    videos: list[str]
    """Scored references and targets among its examples."""
    queries: list[str]
    """Ids of scored queries whose reference caption and modification text are an example's."""

    def as_json(self) -> dict[str, Any]:
        """Return the counts, with the first names."""
        return {
            "generator": self.generator, "videos": len(self.videos), "first_videos": self.videos[:3],
            "queries": len(self.queries), "first_queries": self.queries[:3],
        }  # fmt: skip


def leaks_to_generators(paths: Iterable[Path], task: Task) -> list[Seen]:
    """Return the generators behind some artifacts that saw a video or a query of the task.

    Raises:
        CvrError: a generator is no longer where its texts say.
    """
    folders = [path if path.is_dir() else path.parent for path in paths]
    artifacts = lineage(folders)
    for artifact in artifacts:
        for name in artifact.manifest["inputs"]:
            if name.startswith(INPUT):
                artifact.input_path(name)  # says so where it is gone
    found = [_seen(artifact, task) for artifact in artifacts if is_generator(artifact.path)]
    return [seen for seen in found if seen.videos or seen.queries]


def audit_generator_leaks(paths: Iterable[Path], task: Task, *, allowed: bool) -> list[dict[str, Any]]:
    """Return what generators behind the artifacts saw of the task, as JSON, where that is allowed.

    Raises:
        CvrError: one saw something and that is not allowed, or one is no longer where its texts say.
    """
    found = leaks_to_generators(paths, task)
    if found and not allowed:
        seen = found[0]
        what = f"videos {first_few(seen.videos)}" if seen.videos else f"queries {first_few(seen.queries)}"
        raise CvrError(
            f"The generator {seen.generator}, which wrote texts of this data, was trained on what is scored "
            f"({len(seen.videos)} videos, {len(seen.queries)} queries: {what}); pass --allow-trained-generator."
        )
    return [seen.as_json() for seen in found]


def _seen(generator: Artifact, task: Task) -> Seen:
    examples = generator.read(["reference_id", "target_id", "reference_caption", "modification"])
    videos = {*examples.column("reference_id").to_pylist(), *examples.column("target_id").to_pylist()}
    scored = {query.reference.item_id for query in task.queries if query.reference is not None}
    scored |= {target for query in task.queries for target in task.targets[query.query_id]}
    learned = set(_texts(examples.select(["reference_caption", "modification"]).to_pylist()))
    said = [{"reference_caption": query.description, "modification": query.modification} for query in task.queries]
    ids = [query.query_id for query in task.queries]
    repeated = [
        query_id
        for query_id, row, texts in zip(ids, said, _texts(said), strict=True)
        if row["reference_caption"] and row["modification"] and texts in learned
    ]
    return Seen(str(generator.path), sorted(videos & scored), sorted(repeated))


def _texts(rows: Sequence[Mapping[str, str | None]]) -> list[tuple[str, str]]:
    """(reference caption, modification) of each row, as the words they are compared by."""
    columns = [
        normalised(pa.array([row[name] or "" for row in rows], pa.string())).to_pylist()
        for name in ("reference_caption", "modification")
    ]
    return list(zip(*columns, strict=True))

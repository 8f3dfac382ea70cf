"""What an artifact was made from, first to last, and the funnel of rows on the way.

for step in lineage_funnel(lineage([Path("modifications/short-rules")])): ...
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifacts import Artifact, artifact_input_key, manifest_of, verify
from cvr_data.core.errors import CvrError
from cvr_data.core.places import path_or_address, path_or_address_from

FEATURES = ("embed", "fit-heads", "export-judgments")
"""Stages whose rows are no videos, pairs, texts or triplets."""


@dataclass(frozen=True, kw_only=True)
class FunnelStep:
    """One step that removed or made rows; `rows_in` is None where a step makes rows of another kind."""

    stage: str
    step: str
    rows_in: int | None
    rows_out: int
    dropped: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], stage: str = "") -> "FunnelStep":
        """Return the step of an entry in a manifest; `stage` is used where the entry names none."""
        return cls(
            stage=entry.get("stage", stage), step=entry["step"], rows_in=entry["in"], rows_out=entry["out"],
            dropped=entry["dropped"],
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """Return the entry as manifests hold it."""
        return {"stage": self.stage, "step": self.step, "in": self.rows_in, "out": self.rows_out,
                "dropped": dict(self.dropped)}  # fmt: skip


def numbered_inputs(name: str, folders: Iterable[Path]) -> dict[str, Path]:
    """Return input name -> folder as manifests list several of one kind: `videos`, `videos-2`, ..."""
    return {name if number == 1 else f"{name}-{number}": path for number, path in enumerate(folders, start=1)}


def input_names(artifact: Artifact, *kinds: str) -> list[str]:
    """Return the names of its inputs of these kinds, in order: several of one are `videos`, `videos-2`, ..."""
    return sorted(name for name in artifact.manifest["inputs"] if name.split("-")[0] in kinds)


def input_paths(artifact: Artifact, *kinds: str) -> dict[str, Path]:
    """Return where the inputs of these kinds lie, by name. Raises CvrError: one has moved or changed since."""
    return {name: artifact.input_path(name) for name in input_names(artifact, *kinds)}


def lineage_inputs(artifact: Artifact) -> list[tuple[Path, str]]:
    """Return where each input lay and its key then, whether it is still there or not."""
    entries = [entry for entry in artifact.manifest["inputs"].values() if isinstance(entry, dict)]
    return [(path_or_address_from(artifact.path, entry["path"]), entry["key"]) for entry in entries]


def follow(folder: Path, kind: str) -> tuple[Path, ...]:
    """Return the inputs of that kind of the artifact, else of what it was made from, nearest first; may be none.

    Raises:
        CvrError: one has moved or changed since.
    """
    waiting, seen = deque([folder]), set()
    while waiting:
        path = waiting.popleft()
        if path.resolve() in seen or not (path / MANIFEST).exists():
            continue
        seen.add(path.resolve())
        artifact = manifest_of(path)
        if found := input_paths(artifact, kind):
            return tuple(found.values())
        waiting.extend(above for above, _ in lineage_inputs(artifact))
    return ()


def lineage(folders: Iterable[Path]) -> list[Artifact]:
    """Return the artifacts in the folders and all they were made from, each once, inputs before what uses them.

    Inputs that are files, or that are gone, are left out; `cvr trace` shows those.
    """
    found: dict[Path, Artifact] = {}

    def visit(folder: Path) -> None:
        path = folder.resolve()
        if path in found or not (path / MANIFEST).is_file():
            return
        artifact = manifest_of(folder)
        for above, _ in lineage_inputs(artifact):
            visit(above)
        found[path] = artifact

    for folder in folders:
        visit(path_or_address(folder))
    return list(found.values())


def lineage_funnel(artifacts: Iterable[Artifact]) -> list[FunnelStep]:
    """Return the steps of all artifacts whose rows are videos, pairs, texts or triplets, in order."""
    return [
        step for artifact in artifacts if artifact.stage not in FEATURES for step in artifact_funnel(artifact.manifest)
    ]


def artifact_funnel(manifest: Mapping[str, Any]) -> list[FunnelStep]:
    """Return the steps of one artifact: those it recorded under `funnel`, or one from its counts."""
    stage = manifest["stage"]
    if recorded := [entry for entry in manifest.get("funnel", []) if entry.get("stage", stage) == stage]:
        return [FunnelStep.from_json(entry, stage) for entry in recorded]
    dropped = manifest["dropped"]
    rows = manifest["rows"]
    settings = manifest["config"]
    step = " ".join(str(settings[name]) for name in ("prompt", "backend") if settings.get(name)) or stage
    return [FunnelStep(stage=stage, step=step, rows_in=rows + sum(dropped.values()), rows_out=rows, dropped=dropped)]


def lineage_problems(folder: Path) -> list[str]:
    """Return what is wrong with an artifact and all it was made from, by the hashes of their files; none if nothing is.

    Raises:
        CvrError: there is no artifact in the folder.
    """
    problems = [f"{folder}: {problem}" for problem in verify(folder)]
    seen, waiting = {folder.resolve()}, deque(lineage_inputs(manifest_of(folder)))
    while waiting:
        path, key = waiting.popleft()
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        try:
            if artifact_input_key(path) != key:
                problems.append(f"{path}: has changed since it was used")
            if path.is_dir():
                problems += [f"{path}: {problem}" for problem in verify(path)]
                waiting.extend(lineage_inputs(manifest_of(path)))
        except CvrError as error:  # gone, or no artifact any more: the others are looked at all the same
            problems.append(str(error))
    return problems


def trace_lineage(folder: Path) -> list[dict[str, Any]]:
    """Return the artifact and everything it was made from, nearest first, each input once.

    Each step has depth, path, stage (None for a plain file or one that is gone), rows, dropped, seconds, command and
    problem ("" or what differs from when it was used).

    Raises:
        CvrError: there is no such folder.
    """
    if not folder.exists():
        raise CvrError(f"{folder} does not exist.")
    steps: list[dict[str, Any]] = []
    seen: set[Path] = set()
    todo: list[tuple[int, Path, str | None]] = [(0, folder, None)]
    while todo:
        depth, path, key = todo.pop(0)
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        step, inputs = _lineage_step(depth, path, key)
        steps.append(step)
        todo[:0] = inputs
    return steps


def _lineage_step(depth: int, path: Path, key: str | None) -> tuple[dict[str, Any], list[tuple[int, Path, str | None]]]:
    blank = {"depth": depth, "path": str(path), "stage": None, "problem": ""}
    if not path.exists():
        return {**blank, "problem": "gone"}, []
    changed = "has changed since it was used" if key is not None and artifact_input_key(path) != key else ""
    if path.is_file():
        return {**blank, "problem": changed}, []
    artifact = manifest_of(path)
    known = {name: artifact.manifest[name] for name in ("stage", "rows", "dropped", "seconds", "command")}
    return {**blank, **known, "problem": changed}, [(depth + 1, *above) for above in lineage_inputs(artifact)]

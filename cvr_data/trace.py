"""Follows manifests from an artifact back to its first inputs."""

import os
from pathlib import Path
from typing import Any

from cvr_data.artifacts import input_key, open_artifact


def trace_of(folder: Path) -> list[dict[str, Any]]:
    """Return the artifact and everything it was made from, nearest first, each input once.

    Each step has depth, path, stage (None for a plain file or one that is gone), rows, dropped, seconds, command and
    problem ("" or what differs from when it was used).
    """
    steps: list[dict[str, Any]] = []
    seen: set[Path] = set()
    todo: list[tuple[int, Path, str | None]] = [(0, folder, None)]
    while todo:
        depth, path, key = todo.pop(0)
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        step, inputs = _step(depth, path, key)
        steps.append(step)
        todo[:0] = inputs
    return steps


def _step(depth: int, path: Path, key: str | None) -> tuple[dict[str, Any], list[tuple[int, Path, str | None]]]:
    blank = {"depth": depth, "path": str(path), "stage": None, "problem": ""}
    if not path.exists():
        return {**blank, "problem": "gone"}, []
    changed = "has changed since it was used" if key is not None and input_key(path) != key else ""
    if path.is_file():
        return {**blank, "problem": changed}, []
    manifest = open_artifact(path).manifest
    inputs = [
        (depth + 1, Path(os.path.normpath(path / entry["path"])), entry["key"]) for entry in manifest["inputs"].values()
    ]
    known = {name: manifest[name] for name in ("stage", "rows", "dropped", "seconds", "command")}
    return {**blank, **known, "problem": changed}, inputs

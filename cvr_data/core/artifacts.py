"""A directory of Parquet parts and a manifest: whole or absent, resumable, verifiable.

    out/  part-00000.parquet …  dropped-00000.parquet …  manifest.json

A part is written under a temporary name, synced and renamed; the manifest comes last, so its presence means the
artifact is whole. Until then `running.json` holds the key, and a rerun with the same key keeps the finished parts.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.artifact_files import (
    MANIFEST,
    NEW,
    RUNNING,
    check_listed,
    file_state,
    read_json_once,
    read_parts,
)
from cvr_data.core.errors import CvrError
from cvr_data.core.places import (
    faults_of_place,
    path_or_address,
    path_or_address_from,
    real_place,
)
from cvr_data.core.whole_files import file_sha256

OTHER_KEY = "manifest.json: the key does not belong to its stage, config and inputs"


@dataclass(frozen=True)
class Artifact:
    """A finished artifact on disk."""

    path: Path
    manifest: dict[str, Any]

    @property
    def key(self) -> str:
        """The hash of what made it: stage, version, config and input keys."""
        return self.manifest["key"]

    @property
    def stage(self) -> str:
        """The name of the stage that made it."""
        return self.manifest["stage"]

    @property
    def part_paths(self) -> list[Path]:
        """The Parquet parts, in order."""
        return self._listed_parts("part")

    def _listed_parts(self, name: str) -> list[Path]:
        """The Parquet files of this name that the manifest lists, in order."""
        files = sorted(self.manifest["files"])
        return [self.path / file for file in files if file.startswith(f"{name}-") and file.endswith(".parquet")]

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return all parts as one table.

        Raises:
            CvrError: a part cannot be read, a column is not there, or there are other rows than the manifest counts.
        """
        table = read_parts(self.part_paths, columns, self.path)
        if self.part_paths and table.num_rows != self.manifest["rows"]:
            rows = self.manifest["rows"]
            raise CvrError(
                f"{self.path} has {table.num_rows} rows, its manifest {rows}; make it again with --overwrite."
            )
        return table

    def dropped(self) -> pa.Table:
        """Return the removed rows with their `drop_reason`; a table without columns when nothing was removed."""
        return read_parts(self._listed_parts("dropped"), None, self.path)

    def input_path(self, name: str) -> Path:
        """Return where the input of that name lies.

        Raises:
            CvrError: the artifact has no such input, it has moved, or it is no longer what this was made from.
        """
        entry = self.manifest["inputs"].get(name)
        if not isinstance(entry, dict):
            names = ", ".join(sorted(self.manifest["inputs"])) or "none"
            raise CvrError(f"{self.path} was not made from {name!r} (its inputs: {names}); pass --{name}.")
        path = path_or_address_from(self.path, entry["path"])
        if not path.exists():
            raise CvrError(f"{self.path} was made from {path}, which is gone; pass --{name} with its new place.")
        if entry["key"] != artifact_input_key(path):
            raise CvrError(f"{path} has changed since {self.path} was made from it; rebuild, or pass --{name}.")
        return path


def open_artifact(path: Path | str, stage: str | None = None) -> Artifact:
    """Return the finished artifact in a folder; `stage` is the start of the stage names that will do.

    Raises:
        CvrError: there is no such folder, it is unfinished, another stage made it, or its files are not as listed.
    """
    artifact = manifest_of(path, stage)
    if artifact_key(identity_of(artifact.manifest)) != artifact.key:
        raise CvrError(f"{artifact.path}: {OTHER_KEY}; make it again: {artifact.manifest['command']} --overwrite")
    check_listed(artifact.path, artifact.manifest)
    return artifact


def manifest_of(path: Path | str, stage: str | None = None) -> Artifact:
    """Return the finished artifact in a folder of which only the manifest is read: its files may be damaged or gone.

    Raises:
        CvrError: there is no such folder, it is unfinished, or another stage made it.
    """
    folder = path_or_address(path)
    with faults_of_place(folder):
        is_there = folder.exists()
    if not is_there:
        raise CvrError(f"{folder} does not exist.")
    if not (folder / MANIFEST).exists():
        state = (
            "is unfinished; run its command again to resume"
            if any((folder / name).exists() for name in (RUNNING, f"{NEW}/{MANIFEST}"))
            else "holds no artifact (no manifest.json)"
        )
        raise CvrError(f"{folder} {state}.")
    artifact = Artifact(folder, read_json_once(folder / MANIFEST))
    if stage is not None and not artifact.stage.startswith(stage):
        raise CvrError(f"{folder} was made by {artifact.stage!r}, where {stage!r} is needed.")
    return artifact


def verify(path: Path) -> list[str]:
    """Return what is wrong with an artifact's files, one line each; none if it is as it was made."""
    artifact = manifest_of(path)
    problems = []
    for name, digest in artifact.manifest["files"].items():
        if not (artifact.path / name).is_file():
            problems.append(f"{name} is missing")
        elif file_sha256(artifact.path / name) != digest:
            problems.append(f"{name} has changed since it was written")
    identity = identity_of(artifact.manifest)
    if artifact_key(identity) != artifact.key:
        problems.append(OTHER_KEY)
    return problems


def artifact_key(identity: Mapping[str, Any]) -> str:
    """Return the 32 hex digits that name what an artifact was made from."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


def identity_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a manifest that its key is the hash of."""
    inputs = {name: entry["key"] if isinstance(entry, dict) else entry for name, entry in manifest["inputs"].items()}
    return {"stage": manifest["stage"], "version": manifest["version"], "config": manifest["config"], "inputs": inputs}


def artifact_input_key(path: Path) -> str:
    """Return the key of an artifact folder, or the sha256 of a file."""
    with faults_of_place(path):
        is_there = path.exists()
    if not is_there:
        raise CvrError(f"{path} does not exist.")
    if path.is_dir():
        return manifest_of(path).key
    return _file_digest(real_place(path), file_state(path))


def is_artifact_of_stage(folder: Path, *stages: str) -> bool:
    """Return whether a folder holds a finished artifact of one of these stages."""
    return (folder / MANIFEST).is_file() and manifest_of(folder).stage in stages


@lru_cache(maxsize=1024)
def _file_digest(path: Path, state: tuple[Any, ...]) -> str:
    """The sha256 of a file, worked out once for as long as it stays the same."""
    return file_sha256(path)

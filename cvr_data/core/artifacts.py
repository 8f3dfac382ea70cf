"""A directory of Parquet parts and a manifest: whole or absent, resumable, verifiable.

    out/  part-00000.parquet …  dropped-00000.parquet …  manifest.json

A part is written under a temporary name, synced and renamed; the manifest comes last, so its presence means the
artifact is whole. Until then `running.json` holds the key, and a rerun with the same key keeps the finished parts.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.artifact_files import (
    MANIFEST,
    NEW,
    RUNNING,
    check_listed,
    check_outside,
    clear_artifact,
    content_files,
    count_written,
    difference,
    file_state,
    foreign_files,
    has_only_begun,
    put_in_place,
    read_json_once,
    read_parts,
    remove_temporary,
)
from cvr_data.core.command_line import note_made, running_command
from cvr_data.core.errors import CvrError
from cvr_data.core.folder_lock import LOCK, faults_of_disk, place_lock, writer_lock
from cvr_data.core.places import (
    faults_of_place,
    is_remote,
    make_folder,
    path_from,
    place_from,
    place_of,
    real_place,
    remove_folder,
)
from cvr_data.core.versions import installed_versions
from cvr_data.core.whole_files import file_sha256, json_bytes, write_array, write_bytes, write_parquet

OTHER_KEY = "manifest.json: the key does not belong to its stage, config and inputs"
WORK = ".work"
"""Folder in an unfinished artifact of what the passes of its stage leave for each other."""


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
        return self._listed("part")

    def _listed(self, name: str) -> list[Path]:
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
        return read_parts(self._listed("dropped"), None, self.path)

    def input_path(self, name: str) -> Path:
        """Return where the input of that name lies.

        Raises:
            CvrError: the artifact has no such input, it has moved, or it is no longer what this was made from.
        """
        entry = self.manifest["inputs"].get(name)
        if not isinstance(entry, dict):
            names = ", ".join(sorted(self.manifest["inputs"])) or "none"
            raise CvrError(f"{self.path} was not made from {name!r} (its inputs: {names}); pass --{name}.")
        path = place_from(self.path, entry["path"])
        if not path.exists():
            raise CvrError(f"{self.path} was made from {path}, which is gone; pass --{name} with its new place.")
        if entry["key"] != input_key(path):
            raise CvrError(f"{path} has changed since {self.path} was made from it; rebuild, or pass --{name}.")
        return path


@dataclass(frozen=True)
class Written:
    """What is in an artifact, as those who wrote its parts counted it."""

    rows: int
    dropped: Mapping[str, int]
    files: Mapping[str, str]
    """Name -> sha256; files that are not named are looked at."""


class ArtifactWriter(AbstractContextManager["ArtifactWriter"]):
    """Writes an artifact part by part; leaving the block without `finish` keeps the parts for a resumed run."""

    def __init__(
        self,
        path: Path,
        *,
        stage: str,
        version: int = 1,
        config: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Path] | None = None,
        overwrite: bool = False,
    ):
        self.out = place_of(path)
        self.path = self.out
        """Where files are written: the folder, or one in it while another artifact stands there."""
        self.identity: dict[str, Any] = {
            "stage": stage,
            "version": version,
            "config": dict(config or {}),
            "inputs": {name: input_key(place_of(source)) for name, source in (inputs or {}).items()},
        }
        self.key = key_of(self.identity)
        self.inputs = {name: place_of(source) for name, source in (inputs or {}).items()}
        self.overwrite = overwrite
        self.foreign: list[str] = []
        """Files in the folder that no run of ours wrote; they stay, and are no part of the artifact."""
        self.started = time.monotonic()
        self.held = ExitStack()
        self.lock: object = None

    def __enter__(self) -> "ArtifactWriter":
        self._identity_on_disk()  # what is no artifact is refused before anything is written
        with ExitStack() as held:
            self.lock = held.enter_context(writer_lock(self.out))
            with faults_of_disk(self.out):
                put_in_place(self.out)
                self._begin()
            self.held = held.pop_all()
        return self

    def _begin(self) -> None:
        found = self._identity_on_disk()
        replace = self.overwrite or has_only_begun(self.path)
        if found is not None and key_of(found) != self.key and not replace:
            differs = difference(found, self.identity)
            raise CvrError(f"{self.path} holds another artifact ({differs}); use --overwrite or another --out.")
        if not self._goes_on():
            remove_folder(self.out / NEW)
        if (self.out / MANIFEST).exists():
            check_outside(self.out, self.inputs.values())
            self.path = self.out / NEW
            make_folder(self.path)
        elif found is not None and (self.overwrite or key_of(found) != self.key):
            check_outside(self.path, self.inputs.values())
            clear_artifact(self.path)
            remove_folder(self.path / WORK)
        self.foreign = foreign_files(self.path)
        write_bytes(self.path / RUNNING, json_bytes({**self.identity, "foreign": self.foreign}))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.held.close()
        remote = next((place for place in (self.out, *self.inputs.values()) if is_remote(place)), None)
        with faults_of_disk(self.out if remote is None else remote):
            if error is not None and (remote is not None or isinstance(error, OSError)):
                raise error

    def write_part(
        self,
        index: int,
        table: pa.Table,
        *,
        dropped: pa.Table | None = None,
        arrays: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Write one part; the Parquet file of kept rows comes last, so its presence means the part is whole."""
        for name, array in (arrays or {}).items():
            write_array(self._file(name, index, "npy"), array)
        if dropped is not None and dropped.num_rows:
            write_parquet(self._file("dropped", index, "parquet"), dropped)
        write_parquet(self._file("part", index, "parquet"), table)

    def write_file(self, name: str, content: bytes) -> None:
        """Write one more file of the artifact, whole or not at all."""
        make_folder((self.path / name).parent)
        write_bytes(self.path / name, content)

    def finish(self, written: Written | None = None, /, **extra: Any) -> Artifact:
        """Write the manifest and return the artifact; `extra` entries stand beside the fixed ones.

        What nobody counted is read from the parts.
        """
        written = written or Written(*count_written(self.path), {})
        names = content_files(self.path, self.foreign)
        remove_temporary(self.path, names)
        manifest = {
            **self.identity,
            "key": self.key,
            "inputs": {name: self._input_entry(name) for name in self.inputs},
            "rows": written.rows,
            "dropped": dict(sorted(written.dropped.items())),
            "files": {name: written.files.get(name) or file_sha256(self.path / name) for name in names},
            "bytes": {name: (self.path / name).stat().st_size for name in names},
            "versions": installed_versions(),
            "command": running_command(),
            "seconds": round(time.monotonic() - self.started, 3),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            **extra,
        }
        if isinstance(self.lock, place_lock) and not self.lock.is_mine():
            raise CvrError(f"{self.out} was taken by another process, as this one was not heard of for a while.")
        write_bytes(self.path / MANIFEST, json_bytes(manifest))
        (self.path / RUNNING).unlink(missing_ok=True)
        self.path = self.out
        put_in_place(self.out)
        return Artifact(note_made(self.out), manifest)

    def discard(self) -> None:
        """Remove what was written, and the folder: for a run that no second try can finish."""
        if self.path != self.out:
            remove_folder(self.path)
        else:
            clear_artifact(self.path)
            remove_folder(self.path / WORK)
        self.held.close()
        if not is_remote(self.out) and not any(self.out.iterdir()):
            self.out.rmdir()

    def finished(self) -> Artifact | None:
        """Return the artifact if this very one already stands there, whole."""
        if (self.out / NEW / MANIFEST).exists():
            with writer_lock(self.out):
                put_in_place(self.out)
        if self.overwrite or not (self.path / MANIFEST).exists():
            return None
        artifact = open_artifact(self.path)
        if artifact.key != self.key:
            return None
        self._remove_leftovers()
        note_made(self.path)
        return artifact

    def _goes_on(self) -> bool:
        """Whether an earlier run of this very artifact began to replace what stands there."""
        with suppress(CvrError, FileNotFoundError):
            return key_of(identity_of(read_json_once(self.out / NEW / RUNNING))) == self.key
        return False

    def _remove_leftovers(self) -> None:
        """Remove what a run left that was killed after it wrote the manifest."""
        if any((self.path / name).exists() for name in (RUNNING, WORK, NEW, LOCK)):
            with suppress(CvrError, OSError), writer_lock(self.path):  # another run is at it, or none may write here
                (self.path / RUNNING).unlink(missing_ok=True)
                for name in (WORK, NEW):
                    remove_folder(self.path / name)

    def _identity_on_disk(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        if self.path.is_file():
            raise CvrError(f"{self.path} is a file; an artifact needs a folder.")
        for name in (MANIFEST, RUNNING, f"{NEW}/{MANIFEST}"):
            if (self.path / name).exists():
                return identity_of(read_json_once(self.path / name))
        killed = (LOCK, WORK, NEW)  # a run may end before it could say what it is
        if any(not (entry.name in killed or entry.match(".*.tmp")) for entry in self.path.iterdir()):
            raise CvrError(f"{self.path} is not empty and holds no artifact; name another --out.")
        return None

    def _input_entry(self, name: str) -> dict[str, str]:
        return {"key": self.identity["inputs"][name], "path": path_from(self.out, self.inputs[name])}

    def _file(self, name: str, index: int, suffix: str) -> Path:
        return self.path / f"{name}-{index:05d}.{suffix}"


def open_artifact(path: Path | str, stage: str | None = None) -> Artifact:
    """Return the finished artifact in a folder; `stage` is the start of the stage names that will do.

    Raises:
        CvrError: there is no such folder, it is unfinished, another stage made it, or its files are not as listed.
    """
    artifact = manifest_of(path, stage)
    if key_of(identity_of(artifact.manifest)) != artifact.key:
        raise CvrError(f"{artifact.path}: {OTHER_KEY}; make it again: {artifact.manifest['command']} --overwrite")
    check_listed(artifact.path, artifact.manifest)
    return artifact


def manifest_of(path: Path | str, stage: str | None = None) -> Artifact:
    """Return the finished artifact in a folder of which only the manifest is read: its files may be damaged or gone.

    Raises:
        CvrError: there is no such folder, it is unfinished, or another stage made it.
    """
    folder = place_of(path)
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
    if key_of(identity) != artifact.key:
        problems.append(OTHER_KEY)
    return problems


def key_of(identity: Mapping[str, Any]) -> str:
    """Return the 32 hex digits that name what an artifact was made from."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


def identity_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a manifest that its key is the hash of."""
    inputs = {name: entry["key"] if isinstance(entry, dict) else entry for name, entry in manifest["inputs"].items()}
    return {"stage": manifest["stage"], "version": manifest["version"], "config": manifest["config"], "inputs": inputs}


def input_key(path: Path) -> str:
    """Return the key of an artifact folder, or the sha256 of a file."""
    with faults_of_place(path):
        is_there = path.exists()
    if not is_there:
        raise CvrError(f"{path} does not exist.")
    if path.is_dir():
        return manifest_of(path).key
    return _digest(real_place(path), file_state(path))


def is_made_by(folder: Path, *stages: str) -> bool:
    """Return whether a folder holds a finished artifact of one of these stages."""
    return (folder / MANIFEST).is_file() and manifest_of(folder).stage in stages


@lru_cache(maxsize=1024)
def _digest(path: Path, state: tuple[Any, ...]) -> str:
    """The sha256 of a file, worked out once for as long as it stays the same."""
    return file_sha256(path)

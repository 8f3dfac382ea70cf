"""Writes an artifact part by part, resumably, and in the place of one that stands there once it is whole."""

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.artifact_files import (
    MANIFEST,
    NEW,
    RUNNING,
    artifact_identity_difference,
    check_artifact_outside,
    clear_artifact,
    content_files,
    count_written,
    files_foreign_to_artifact,
    has_only_begun,
    put_in_place,
    read_json_once,
    remove_temporary,
)
from cvr_data.core.artifacts import Artifact, artifact_input_key, artifact_key, identity_of, open_artifact
from cvr_data.core.command_line import note_made, running_command
from cvr_data.core.errors import CvrError
from cvr_data.core.folder_lock import LOCK, faults_of_disk, place_lock, writer_lock
from cvr_data.core.places import (
    is_remote,
    make_folder,
    names_below,
    path_from,
    path_or_address,
    remove_folder,
)
from cvr_data.core.versions import installed_versions
from cvr_data.core.whole_files import file_sha256, json_bytes, write_array, write_bytes, write_parquet

WORK = ".work"
"""Folder in an unfinished artifact of what the passes of its stage leave for each other."""


@dataclass(frozen=True)
class Written:
    """What is in an artifact, as those who wrote its parts counted it."""

    rows: int
    dropped: Mapping[str, int]
    files: Mapping[str, str]
    """Name -> sha256; files that are not named are looked at."""


class ArtifactWriter(AbstractContextManager["ArtifactWriter"]):
    """Writes an artifact part by part; leaving the block without `finish` keeps the parts for a resumed run.

    An error before there is any leaves nothing: what was wrong is mended by the next command, not by clearing up.
    """

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
        self.out = path_or_address(path)
        self.path = self.out
        """Where files are written: the folder, or one in it while another artifact stands there."""
        self.identity: dict[str, Any] = {
            "stage": stage,
            "version": version,
            "config": dict(config or {}),
            "inputs": {name: artifact_input_key(path_or_address(source)) for name, source in (inputs or {}).items()},
        }
        self.key = artifact_key(self.identity)
        self.inputs = {name: path_or_address(source) for name, source in (inputs or {}).items()}
        self.overwrite = overwrite
        self.foreign: list[str] = []
        """Files in the folder that no run of ours wrote; they stay, and are no part of the artifact."""
        self.was_there = False
        """Whether the folder stood there before, perhaps as somebody's own."""
        self.started = time.monotonic()
        self.held = ExitStack()
        self.lock: object = None

    def __enter__(self) -> "ArtifactWriter":
        self._identity_on_disk()  # what is no artifact is refused before anything is written
        self.was_there = not is_remote(self.out) and self.out.exists()
        with ExitStack() as held:
            self.lock = held.enter_context(writer_lock(self.out))
            with faults_of_disk(self.out):
                put_in_place(self.out)
                self._begin_artifact()
            self.held = held.pop_all()
        return self

    def _begin_artifact(self) -> None:
        found = self._identity_on_disk()
        replace = self.overwrite or has_only_begun(self.path)
        if found is not None and artifact_key(found) != self.key and not replace:
            differs = artifact_identity_difference(found, self.identity)
            raise CvrError(f"{self.path} holds another artifact ({differs}); use --overwrite or another --out.")
        if not self._goes_on():
            remove_folder(self.out / NEW)
        if (self.out / MANIFEST).exists():
            check_artifact_outside(self.out, self.inputs.values())
            self.path = self.out / NEW
            make_folder(self.path)
        elif found is not None and (self.overwrite or artifact_key(found) != self.key):
            check_artifact_outside(self.path, self.inputs.values())
            clear_artifact(self.path)
            remove_folder(self.path / WORK)
        self.foreign = files_foreign_to_artifact(self.path)
        write_bytes(self.path / RUNNING, json_bytes({**self.identity, "foreign": self.foreign}))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            with suppress(CvrError, OSError):  # the error that ends the block is told, not one of clearing up
                if has_only_begun(self.path) and not names_below(self.path / WORK):
                    self.discard()
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
            write_array(self._artifact_file(name, index, "npy"), array)
        if dropped is not None and dropped.num_rows:
            write_parquet(self._artifact_file("dropped", index, "parquet"), dropped)
        write_parquet(self._artifact_file("part", index, "parquet"), table)

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
        if not is_remote(self.out) and not self.was_there and not any(self.out.iterdir()):
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
            return artifact_key(identity_of(read_json_once(self.out / NEW / RUNNING))) == self.key
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

    def _artifact_file(self, name: str, index: int, suffix: str) -> Path:
        return self.path / f"{name}-{index:05d}.{suffix}"

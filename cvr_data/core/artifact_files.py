"""The files of an artifact's folder: which are its own, which were there before, and what goes when it is replaced."""

import json
import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from cvr_data.core.errors import CvrError
from cvr_data.core.places import is_remote, names_below

MANIFEST = "manifest.json"
RUNNING = "running.json"
INSIDE = ("heads", "audit")
"""Folders of artifacts that are written into the one they were made from, and go with it."""


def check_outside(folder: Path, paths: Iterable[Path]) -> None:
    """Refuse to replace what is in a folder if one of these files or folders is it, or lies in it.

    Raises:
        CvrError: one does.
    """
    for path in paths:
        if is_remote(path) == is_remote(folder) and path.resolve().is_relative_to(folder.resolve()):
            where = "is" if path.resolve() == folder.resolve() else f"holds {path},"
            raise CvrError(f"{folder} {where} what this is made from, so it is not replaced; name another --out.")


def content_files(folder: Path, foreign: Sequence[str] = ()) -> list[str]:
    """Every file of the artifact; hidden ones and folders that hold an artifact of their own are left out."""
    names = names_below(folder)
    others = tuple(name.removesuffix(MANIFEST) for name in names if name.endswith(f"/{MANIFEST}"))
    return [name for name in names if not name.startswith(others) and name not in {MANIFEST, RUNNING, *foreign}]


def foreign_files(folder: Path) -> list[str]:
    """The files in a folder that a run finds there: noted when it began, or all that there are as it begins."""
    if (folder / RUNNING).exists():
        return read_json_once(folder / RUNNING).get("foreign", [])
    return content_files(folder)


def clear_artifact(folder: Path) -> None:
    """Remove what runs wrote, and artifacts made from this one in it; other files stay.

    A finished artifact lists its files. All in an unfinished one is its run's, but what was there when it began.
    """
    finished = (folder / MANIFEST).exists()
    files = (
        list(read_json_once(folder / MANIFEST)["files"]) if finished else content_files(folder, foreign_files(folder))
    )
    for name in INSIDE:
        if any((folder / name / file).exists() for file in (MANIFEST, RUNNING)):
            clear_artifact(folder / name)
    for path in [folder / MANIFEST, folder / RUNNING, *(folder / name for name in files)]:
        path.unlink(missing_ok=True)
    remove_temporary(folder, files)
    for root, _, _ in sorted(() if is_remote(folder) else os.walk(folder), reverse=True):  # those inside come first
        if Path(root) != folder and not any(Path(root).iterdir()):
            Path(root).rmdir()


def remove_temporary(folder: Path, names: Iterable[str]) -> None:
    """Remove what a killed run did not get to rename, in the folder and where its files lie."""
    for place in {folder, *((folder / name).parent for name in names)}:
        for temporary in place.glob(".*.tmp") if not is_remote(place) and place.is_dir() else ():
            temporary.unlink()


def read_json_once(path: Path) -> dict[str, Any]:
    """Return what a JSON file of an artifact holds, parsed once for as long as the file stays the same.

    Raises:
        CvrError: it is damaged.
    """
    try:
        return _parsed(same_file(path), file_state(path))
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise CvrError(f"{path} is not valid JSON; the folder is damaged, make it again with --overwrite.") from None


@lru_cache(maxsize=1024)
def _parsed(path: Path, state: tuple[Any, ...]) -> dict[str, Any]:
    """The content of a file, parsed once for as long as it stays the same; nobody changes what they are given."""
    return json.loads(path.read_text(encoding="utf-8"))


def same_file(path: Path) -> Path:
    """The file that a path leads to, as its one name."""
    return path.resolve() if is_remote(path) else Path(os.path.realpath(path))


def file_state(path: Path) -> tuple[Any, ...]:
    """What differs once a file was written anew."""
    if is_remote(path):
        return (path.fs.ukey(path.path),)  # type: ignore[attr-defined]
    file = path.stat()
    return file.st_dev, file.st_ino, file.st_mtime_ns, file.st_size

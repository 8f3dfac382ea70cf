"""The files of an artifact's folder: which are its own, which were there before, and what goes when it is replaced."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.places import is_remote, make_folder, move, names_below, open_parquet, real_place, remove_folder
from cvr_data.core.reading import check_json_value_types, reading
from cvr_data.core.whole_files import read_parquet

MANIFEST = "manifest.json"
RUNNING = "running.json"
NEW = ".new"
"""Folder in an artifact that is replaced: the new one, until it is whole."""
OLD = ".old-manifest.json"
"""In it, while files go into place: what the artifact before had."""
BEGUN: Mapping[str, Any] = {"stage": str, "version": int, "config": dict, "inputs": dict}
"""What the key of an artifact is the hash of, and of which type."""
KINDS: Mapping[str, Any] = {
    **BEGUN, "key": str, "rows": int, "dropped": dict, "files": dict, "versions": dict, "command": str,
    "seconds": int | float,
}  # fmt: skip
"""What every manifest has."""
ENTRIES: Mapping[str, Any] = {"inputs": str | dict, "dropped": int, "files": str, "bytes": int}
"""Of what kind the entries of an object in it are."""
INSIDE = ("heads", "audit")
"""Folders of artifacts that are written into the one they were made from, and go with it."""


def check_artifact_outside(folder: Path, paths: Iterable[Path]) -> None:
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


def files_foreign_to_artifact(folder: Path) -> list[str]:
    """The files in a folder that a run finds there: noted when it began, or all that there are as it begins."""
    if (folder / RUNNING).exists():
        foreign = read_json_once(folder / RUNNING).get("foreign", [])
        return [name for name in foreign if isinstance(name, str)] if isinstance(foreign, list) else []
    return content_files(folder)


def has_only_begun(folder: Path) -> bool:
    """Return whether a run stopped in a folder before it finished a file there, so that another loses nothing of it."""
    if not (folder / RUNNING).exists() or (folder / MANIFEST).exists() or (folder / NEW).exists():
        return False
    return not content_files(folder, files_foreign_to_artifact(folder))


def clear_artifact(folder: Path) -> None:
    """Remove what runs wrote, and artifacts made from this one in it; other files stay.

    A finished artifact lists its files. All in an unfinished one is its run's, but what was there when it began.
    """
    finished = (folder / MANIFEST).exists()
    files = (
        list(read_json_once(folder / MANIFEST)["files"])
        if finished
        else content_files(folder, files_foreign_to_artifact(folder))
    )
    for name in INSIDE:
        if any((folder / name / file).exists() for file in (MANIFEST, RUNNING)):
            clear_artifact(folder / name)
    for path in [*(folder / name for name in files), folder / RUNNING, folder / MANIFEST]:
        path.unlink(missing_ok=True)
    remove_temporary(folder, files)
    _remove_empty(folder)


def put_in_place(folder: Path) -> None:
    """Let a new artifact that is whole take the place of the one before; after a kill, go on where that was.

    The files that both have are replaced, those that only the old one had are removed, and its manifest goes first and
    the new one's comes last: whoever reads meanwhile finds an unfinished folder.
    """
    new = folder / NEW
    if not (new / MANIFEST).exists():
        return
    names = content_files(new)
    kept = set(json.loads((new / MANIFEST).read_bytes())["files"])
    if (folder / MANIFEST).exists():
        move(folder / MANIFEST, new / OLD)
    if (new / OLD).exists():
        for name in INSIDE:
            if (folder / name / MANIFEST).exists():
                clear_artifact(folder / name)
        old = set(json.loads((new / OLD).read_bytes())["files"])
        for name in old - kept:
            (folder / name).unlink(missing_ok=True)
    for name in names:
        make_folder((folder / name).parent)
        move(new / name, folder / name)
    remove_temporary(folder, names)
    _remove_empty(folder)
    move(new / MANIFEST, folder / MANIFEST)
    remove_folder(new)


def _remove_empty(folder: Path) -> None:
    for root, _, _ in sorted(() if is_remote(folder) else os.walk(folder), reverse=True):  # those inside come first
        if Path(root) != folder and NEW not in Path(root).parts and not any(Path(root).iterdir()):
            Path(root).rmdir()


def remove_temporary(folder: Path, names: Iterable[str]) -> None:
    """Remove what a killed run did not get to rename, in the folder and where its files lie."""
    for place in {folder, *((folder / name).parent for name in names)}:
        for temporary in place.glob(".*.tmp") if not is_remote(place) and place.is_dir() else ():
            temporary.unlink()


def read_json_once(path: Path) -> dict[str, Any]:
    """Return what a JSON file of an artifact holds, parsed once for as long as the file stays the same.

    Raises:
        CvrError: it is damaged, or a key that is known is missing or holds something else.
    """
    with reading(path, "a manifest; the folder is damaged, remove it and make it again"):
        return _parsed_manifest(real_place(path), file_state(path))


@lru_cache(maxsize=1024)
def _parsed_manifest(path: Path, state: tuple[Any, ...]) -> dict[str, Any]:
    """The content of a file, parsed once for as long as it stays the same; nobody changes what they are given."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, no object")
    kinds = KINDS if path.name == MANIFEST else {name: KINDS[name] for name in BEGUN}
    check_json_value_types(content, kinds)
    for name, kind in ENTRIES.items():
        if bad := [key for key, value in content.get(name, {}).items() if not isinstance(value, kind)]:
            raise ValueError(f"{name!r} has {first_few(bad)} of another kind")
    for name, entry in content["inputs"].items():
        if isinstance(entry, dict) and not all(isinstance(entry.get(key), str) for key in ("key", "path")):
            raise ValueError(f"the input {name!r} has no key and path")
    json.dumps(content, ensure_ascii=False).encode()  # half a character would end every hash and print of it
    return content


def check_listed(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a folder that lacks a file which its manifest lists, or where one has another size.

    Clips that lie in it are judged where they are decoded: one that rots costs its own row.

    Raises:
        CvrError: one does, with the command that makes it again.
    """
    sizes = manifest.get("bytes", {})
    for name in manifest["files"]:
        if name.startswith("media/"):
            continue
        path = folder / name
        if not path.is_file():
            state = "is missing"
        elif path.stat().st_size != sizes.get(name, path.stat().st_size):
            state = "has changed since it was written"
        else:
            continue
        raise CvrError(f"{path} {state}; make it again: {manifest['command']} --overwrite")


def file_state(path: Path) -> tuple[Any, ...]:
    """What differs once a file was written anew."""
    if is_remote(path):
        return (path.fs.ukey(path.path),)  # type: ignore[attr-defined]
    file = path.stat()
    return file.st_dev, file.st_ino, file.st_mtime_ns, file.st_size


DIFFERENCES = 3
"""What differs is told so many times; the rest is counted."""


def artifact_identity_difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return in words in what two identities differ: the first few options, told by their own names, or inputs."""
    for name in ("stage", "version"):
        if found[name] != wanted[name]:
            return f"{name} {found[name]!r}, not {wanted[name]!r}"
    before, after = _config_options(found["config"]), _config_options(wanted["config"])
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    said = [f"{name} = {before.get(name)!r}, not {after.get(name)!r}" for name in names]
    inputs = sorted({*found["inputs"], *wanted["inputs"]})
    others = [name for name in inputs if found["inputs"].get(name) != wanted["inputs"].get(name)]
    said += [f"made with another {name}" for name in others]
    more = [f"and {len(said) - DIFFERENCES} more"] if len(said) > DIFFERENCES else []
    return "; ".join([*said[:DIFFERENCES], *more]) or "same inputs, another key"


def _config_options(config: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """The options of a config, those of configs inside it by both names; a config that is all there or not is one."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        inner = _config_options(value, f"{within}{name}.") if isinstance(value, Mapping) else {}
        found |= inner or {f"{within}{name}": value}
    return found


def read_parts(paths: Sequence[Path], columns: Sequence[str] | None, where: Path) -> pa.Table:
    """Return all parts of an artifact, or columns of them, as one table.

    Raises:
        CvrError: a part cannot be read, or lacks a column.
    """
    if not paths:
        return pa.table({})
    tables = []
    for path in paths:
        with reading(path, "Parquet"), open_parquet(path) as file:
            names = file.schema_arrow.names
            table = file.read(None if columns is None else [name for name in columns if name in names])
        for column in columns or ():
            if column not in names:
                raise CvrError(f"{where}: there is no column {column!r} (columns: {', '.join(names)}).")
        tables.append(table if columns is None else table.select(list(columns)))
    return pa.concat_tables(tables, promote_options="permissive")


def count_rows(path: Path) -> int:
    """Return how many rows a Parquet file has."""
    with reading(path, "Parquet"), open_parquet(path) as file:
        return file.metadata.num_rows


def count_written(folder: Path) -> tuple[int, dict[str, int]]:
    """Return how many rows the parts in a folder have, and how many removed ones each reason has."""
    dropped: Counter[str] = Counter()
    for path in sorted(folder.glob("dropped-*.parquet")):
        dropped.update(read_parquet(path, ["drop_reason"]).column("drop_reason").to_pylist())
    return sum(map(count_rows, sorted(folder.glob("part-*.parquet")))), dict(sorted(dropped.items()))

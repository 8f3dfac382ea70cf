"""Ways to damage a file: each is a name and a function of its path; `harmless` ones may be read all the same."""

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cvr_data.core.artifacts import artifact_key, identity_of
from cvr_data.core.whole_files import file_sha256

DEEP = 100_000
LATIN_1 = "caf\u00e9 \u00fcber".encode("latin-1")
VALUES: tuple[Any, ...] = (None, -1, True, 1.5, "x", [], [[]], {}, {"a": {"b": [1]}}, 10**400, "\ud800", float("inf"))


@dataclass(frozen=True)
class Damage:
    """What is done to a file."""

    name: str
    do: Callable[[Path], None]
    harmless: bool = False


def replaced(path: Path, content: bytes) -> None:
    """Put a new file in the place of one that may be a link to the world's."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def _instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def do(path: Path) -> None:
        path.unlink()
        make(path)

    return do


ANY = (
    Damage("gone", lambda path: path.unlink()), Damage("empty", lambda path: replaced(path, b"")),
    Damage("cut", lambda path: replaced(path, path.read_bytes()[: path.stat().st_size // 2])),
    Damage("garbage", lambda path: replaced(path, random.Random(path.name).randbytes(3000))),
    Damage("folder", _instead(Path.mkdir)), Damage("loop", _instead(lambda path: path.symlink_to(path.name))),
    Damage("pipe", _instead(os.mkfifo)), Damage("zeros", lambda path: replaced(path, bytes(4096))),
)  # fmt: skip
TEXT = (
    *ANY,
    Damage("latin-1", lambda path: replaced(path, LATIN_1 + path.read_bytes() + LATIN_1)),
    Damage("latin-1 in the middle", lambda path: replaced(path, _with(path.read_bytes(), LATIN_1))),
    Damage("utf-16", lambda path: replaced(path, path.read_bytes().decode().encode("utf-16"))),
    Damage("nul", lambda path: replaced(path, _with(path.read_bytes(), b"\0")), harmless=True),
    Damage("long cell", lambda path: replaced(path, _with(path.read_bytes(), b"x" * 3_000_000)), harmless=True),
    Damage("one line", lambda path: replaced(path, path.read_bytes().split(b"\n")[0] + b"\n"), harmless=True),
    Damage("quotes", lambda path: replaced(path, _with(path.read_bytes(), b'"')), harmless=True),
    Damage("words", lambda path: replaced(path, b"this is, what it is\n")),
)


def _with(content: bytes, added: bytes) -> bytes:
    middle = content.find(b"\n") + 3 if b"\n" in content[:-1] else len(content) // 2
    return content[:middle] + added + content[middle:]


WHOLE_JSON = (
    *ANY,
    *(
        Damage(f"is {text[:12]}", partial(replaced, content=text.encode()))
        for text in ("[]", "3", "null", '"x"', "[1]")
    ),
    Damage("latin-1", lambda path: replaced(path, path.read_bytes().replace(b'"', b'"' + LATIN_1, 1))),
    Damage("deep lists", lambda path: replaced(path, b"[" * DEEP + b"]" * DEEP)),
    Damage("deep objects", lambda path: replaced(path, b'{"a":' * DEEP + b"1" + b"}" * DEEP)),
    Damage("utf-16", lambda path: replaced(path, path.read_bytes().decode().encode("utf-16")), harmless=True),
)
YAML = (
    *TEXT[:-1],
    *(Damage(f"is {text[:12]}", partial(replaced, content=text.encode())) for text in ("[]", "3", "~", "x", "- a")),
    Damage("deep", lambda path: replaced(path, b"[" * 20_000)),
    Damage("deep blocks", lambda path: replaced(path, b"- " * 20_000)),
    Damage("tag", lambda path: replaced(path, b"a: !!python/object/apply:os.system [id]\n")),
    Damage("itself", lambda path: replaced(path, b"&a [*a]\n")),
    Damage("tab", lambda path: replaced(path, b"a:\n\t- b\n")),
    Damage("escape", lambda path: replaced(path, b"a: \x1b[31m\n")),
    Damage("huge number", lambda path: replaced(path, path.read_bytes() + b"more: " + b"9" * 6000 + b"\n")),
)


def in_json(keys: Iterable[Any], harmless: Callable[[Any, Any, Any], bool]) -> Iterator[Damage]:
    """Yield ways to damage entries of a JSON object: each taken out, or something else in its place.

    `harmless` is asked with the key, its value and the new one.
    """
    for key in keys:
        yield Damage(f"without {key}", partial(_edit, key=key, take=True), harmless(key, None, None))
        for value in VALUES:
            yield Damage(f"{key} = {str(value)[:12]!r}", partial(_edit, key=key, value=value), harmless(key, 0, value))


def _edit(path: Path, key: Any, value: Any = None, take: bool = False) -> None:
    content = json.loads(path.read_bytes())
    if take:
        del content[key]
    else:
        content[key] = value
    replaced(path, json.dumps(content).encode())


def _table(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    table = change(pq.read_table(path))
    path.unlink()
    pq.write_table(table, path)


def _with_null(table: pa.Table) -> pa.Table:
    column = table.column(0).to_pylist()
    return table.set_column(0, table.column_names[0], pa.array([None, *column[1:]], table.column(0).type))


PARQUET = (
    *ANY,
    Damage("foreign", partial(_table, change=lambda _: pa.table({"a": [1, 2], "b": ["x", "y"]}))),
    Damage("no columns", partial(_table, change=lambda table: table.select([]))),
    Damage("no rows", partial(_table, change=lambda table: table.slice(0, 0))),
    Damage("null", partial(_table, change=_with_null)),
    Damage("first column gone", partial(_table, change=lambda table: table.drop_columns(table.column_names[:1]))),
    Damage("last column gone", partial(_table, change=lambda table: table.drop_columns(table.column_names[-1:]))),
    Damage("numbers", partial(_table, change=lambda table: table.set_column(
        0, table.column_names[0], pa.array(range(table.num_rows), pa.int64())))),
    Damage("texts", partial(_table, change=lambda table: table.set_column(
        table.num_columns - 1, table.column_names[-1], pa.array(["x"] * table.num_rows)))),
    Damage("twice", partial(_table, change=lambda table: pa.concat_tables([table, table]))),
    Damage("only letters", lambda path: replaced(path, b"PAR1" * 4)),
)  # fmt: skip


def _array(path: Path, array: np.ndarray) -> None:
    path.unlink()
    np.save(path, array, allow_pickle=True)


NPY = (
    *ANY,
    Damage("objects", partial(_array, array=np.array([{"a": 1}], object))),
    Damage("texts", partial(_array, array=np.array(["a", "b"]))),
    Damage("a number", partial(_array, array=np.array(3.0))),
    Damage("few", partial(_array, array=np.zeros((1, 4), np.float32))),
    Damage("narrow", partial(_array, array=np.zeros((40, 1), np.float32))),
    Damage("wholes", partial(_array, array=np.zeros((22, 4), np.int64)), harmless=True),
    Damage("huge", lambda path: replaced(path, b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, "
           b"'shape': (99999999999, 99), }".ljust(117) + b"\n" + bytes(64))),
    Damage("negative", lambda path: replaced(path, b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': "
           b"False, 'shape': (-5, 4), }".ljust(117) + b"\n" + bytes(64))),
    Damage("code", lambda path: replaced(path, b"\x93NUMPY\x01\x00v\x00" + b"__import__('os').getpid()".ljust(117)
           + b"\n")),
)  # fmt: skip


def _pickled(path: Path) -> None:
    import pickle

    class Runs:
        def __reduce__(self) -> tuple:
            return os.system, ("touch ran",)

    replaced(path, pickle.dumps(Runs()))


def _torch(path: Path, value: Any) -> None:
    import torch

    path.unlink()
    torch.save(value() if callable(value) else value, path)


def _tensor() -> Any:
    import torch

    return torch.zeros(3)


TENSORS = (
    *ANY,
    Damage("pickle", _pickled), Damage("a list", partial(_torch, value=[1, 2])),
    Damage("a tensor", partial(_torch, value=_tensor)), Damage("texts", partial(_torch, value={"a": "b"})),
    Damage("numbers for names", partial(_torch, value={1: 2})),
    Damage("nothing", partial(_torch, value={})),
    Damage("long header", lambda path: replaced(path, (1 << 60).to_bytes(8, "little") + b"{}")),
    Damage("odd header", lambda path: replaced(path, (8).to_bytes(8, "little") + b'{"a": 3}')),
    Damage("deep header", lambda path: replaced(path, (2 * DEEP).to_bytes(8, "little") + b"[" * DEEP + b"]" * DEEP)),
)  # fmt: skip


def _database(path: Path, script: str, anew: bool = False) -> None:
    if anew:
        path.unlink()
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()


SQLITE = (
    *ANY,
    Damage("foreign", partial(_database, script="CREATE TABLE notes (a); INSERT INTO notes VALUES (1)", anew=True)),
    Damage("other columns", partial(_database, anew=True, script=(
        "CREATE TABLE judgments (a); CREATE TABLE items (a); CREATE TABLE settings (a); CREATE TABLE answers (a); "
        "CREATE TABLE runs (a); INSERT INTO judgments VALUES (1); INSERT INTO settings VALUES (1)"))),
    Damage("of wal", partial(_database, anew=True, script="PRAGMA journal_mode=WAL; CREATE TABLE notes (a)")),
    Damage("blobs", lambda path: _blobs(path), harmless=True),
    Damage("nulls", lambda path: _blobs(path, b"NULL"), harmless=True),
    Damage("flipped", lambda path: replaced(path, _flipped(path.read_bytes())), harmless=True),
    Damage("text", lambda path: replaced(path, b"SQLite format 3\0" + b"x" * 5000)),
)  # fmt: skip


def _blobs(path: Path, value: bytes = b"x'ff00ff'") -> None:
    """Put bytes that are no text into every column that takes them."""
    with sqlite3.connect(path) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for column in connection.execute(f"PRAGMA table_info({name})").fetchall():
                try:
                    connection.execute(f"UPDATE OR IGNORE {name} SET {column[1]} = {value.decode()}")
                except sqlite3.DatabaseError:
                    continue
    connection.close()


def _flipped(content: bytes) -> bytes:
    some = random.Random(0)
    places = [some.randrange(100, len(content)) for _ in range(len(content) // 40)]
    flipped = bytearray(content)
    for place in places:
        flipped[place] ^= 0xFF
    return bytes(flipped)


def of(path: Path) -> tuple[Damage, ...]:
    """Return the ways to damage a file of this ending."""
    suffix = path.suffix.lower()
    kinds = {
        ".json": WHOLE_JSON, ".jsonl": TEXT, ".parquet": PARQUET, ".npy": NPY, ".sqlite": SQLITE, ".yaml": YAML,
        ".pt": TENSORS, ".pth": TENSORS, ".safetensors": TENSORS, ".csv": TEXT, ".tsv": TEXT, ".txt": TEXT,
    }  # fmt: skip
    return kinds.get(suffix, ANY)


def sealed(folder: Path) -> None:
    """Let the manifest say that the files in the folder are what it lists, as a forger would."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    for name in manifest["files"]:
        if (folder / name).is_file():
            manifest["files"][name] = file_sha256(folder / name)
            if "bytes" in manifest:
                manifest["bytes"][name] = (folder / name).stat().st_size
    parts = [file for file in folder.glob("part-*.parquet") if file.is_file()]
    try:
        manifest["rows"] = sum(pq.read_metadata(part).num_rows for part in parts)
    except (pa.ArrowException, OSError):
        manifest["rows"] = 1
    manifest["key"] = artifact_key(identity_of(manifest))
    replaced(path, json.dumps(manifest).encode())


def remove(path: Path) -> None:
    """Remove whatever is there."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)

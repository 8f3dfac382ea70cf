"""Whatever a reader raises on a damaged file is one line that names it; files are written whole or not at all."""

import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from cvr_data.core.annotation_files import read_json
from cvr_data.core.errors import CvrError
from cvr_data.core.files import read_rows
from cvr_data.core.reading import check_fields, check_json_value_types, read_array, read_text, reading
from cvr_data.core.sqlite_files import check_database
from cvr_data.core.whole_files import read_parquet
from cvr_data.core.yaml_text import read_yaml
from cvr_data.modifications.asking.cache import RequestCache
from cvr_data.review.store import ReviewStore
from tests.conftest import ROOT

NPY = b"\x93NUMPY\x01\x00v\x00"
HUGE = NPY + b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99), }".ljust(117) + b"\n"


@pytest.mark.parametrize(
    ("read", "content", "said"),
    [
        (read_json, b"[" * 100_000 + b"]" * 100_000, "too deep"), (read_json, b"1" * 5000, "as JSON"),
        (read_json, "caf\u00e9".encode("latin-1"), "not UTF-8"), (read_text, b"a\xff", "not UTF-8 .* at byte 1"),
        (read_yaml, b"[" * 20_000, "too deep|YAML"), (read_yaml, b"a:\n\t- b", "not valid YAML"),
        (read_parquet, b"PAR1" * 4, "as Parquet"), (read_parquet, b"", "as Parquet"), (read_array, HUGE, "npy"),
        (read_array, b"", "npy"), (read_array, NPY + b"__import__('os')".ljust(117) + b"\n", "npy"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_one_line(tmp_path, read, content, said):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(CvrError, match=said) as caught:
        read(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("read", [read_json, read_text, read_parquet, read_array, read_yaml])
def test_what_is_no_file_is_one_line(tmp_path, read):
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path, tmp_path / "none", tmp_path / "loop", tmp_path / ("x" * 300), tmp_path / "a\0b"):
        with pytest.raises(CvrError):
            read(path)


def test_a_line_too_deep_or_with_a_number_too_long_costs_one_row(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "x"}\n{"a": ' + "[" * 100_000 + '}\n{"a": ' + "9" * 5000 + "}\n")
    rows = [row for rows in read_rows(path, ["a"]) for row in rows]
    assert [row.drop_reason for row in rows] == [None, "bad_row", "bad_row"]


def test_a_mistake_of_ours_is_told_with_the_file():
    with pytest.raises(CvrError, match=r"a\.bin: cannot be read as a thing \(ZeroDivisionError: x\)"):
        with reading(Path("a.bin"), "a thing"):
            raise ZeroDivisionError("x")


@dataclass
class Fields:
    a: int
    b: str | None = None
    c: tuple[str, ...] = ()
    d: Mapping[str, int] | None = None
    e: Literal["x", "y"] = "x"


@pytest.mark.parametrize(
    "values", [{"a": "1"}, {"a": True}, {"b": 3}, {"c": "x"}, {"d": []}, {"e": "z"}, {"e": []}, {"f": 1}]
)
def test_values_of_other_types_are_refused(values):
    check_fields(Fields, {"a": 1, "b": None, "c": ["x"], "d": {"x": 1}, "e": "y"})
    with pytest.raises(ValueError, match=repr(next(iter(values)))):
        check_fields(Fields, values)


def test_an_object_is_checked_key_by_key():
    kinds = {"a": int, "b": {"c": list}}
    check_json_value_types({"a": 1, "b": {"c": []}, "more": None}, kinds)
    for wrong in ({"a": 1}, {"a": True, "b": {"c": []}}, {"a": 1, "b": []}, {"a": 1, "b": {"c": 3}}, [1]):
        with pytest.raises(ValueError):
            check_json_value_types(wrong, kinds)


@pytest.mark.parametrize("opened", [ReviewStore, RequestCache])
@pytest.mark.parametrize("script", ["CREATE TABLE notes (a)", "CREATE TABLE items (a); CREATE TABLE answers (a)"])
def test_a_database_of_others_is_refused_and_stays_as_it_is(tmp_path, opened, script):
    path = tmp_path / "notes.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()
    before = path.read_bytes(), path.stat().st_mode
    with pytest.raises(CvrError, match="is a database, and not"):
        opened(path)
    assert (path.read_bytes(), path.stat().st_mode) == before
    assert [file.name for file in tmp_path.iterdir()] == ["notes.sqlite"]


def test_a_damaged_database_is_one_line(tmp_path):
    (tmp_path / "a.sqlite").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(CvrError, match="cannot be read as the request cache"):
        check_database(tmp_path / "a.sqlite", "the request cache", "CREATE TABLE a (b)")
    with RequestCache(tmp_path / "b.sqlite") as cache:
        cache.connection.execute("DROP TABLE answers")
        with pytest.raises(CvrError, match=r"b\.sqlite: cannot be used as the request cache"):
            cache.get(["a"])


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np, pyarrow as pa
from cvr_data.core.folder_lock import faults_of_disk
from cvr_data.core.whole_files import whole_file, write_array, write_bytes, write_parquet
from cvr_data.core.torch_files import write_torch
here, kind = Path(sys.argv[1]), sys.argv[2]
import torch
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
numbers = np.random.default_rng(0).random(200_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
write = {
    "bytes": lambda: write_bytes(here / "f", numbers.tobytes()), "array": lambda: write_array(here / "f", numbers),
    "parquet": lambda: write_parquet(here / "f", pa.table({"a": numbers})),
}[kind]
with faults_of_disk(here):
    write()
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bytes", "array", "parquet"])
def test_a_disk_that_takes_no_more_is_one_line_and_leaves_nothing(tmp_path, kind):
    ran = subprocess.run([sys.executable, "-c", FULL, tmp_path, kind], capture_output=True, text=True, cwd=ROOT)
    told = "CvrError: The disk is full, or may hold no larger file: cannot write"
    assert told in ran.stderr.splitlines()[-1], ran.stderr
    assert list(tmp_path.iterdir()) == []

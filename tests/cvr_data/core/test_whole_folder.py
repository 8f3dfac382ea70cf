"""A folder of many files is there whole or not at all, whatever ends the process that writes it."""

import os
from pathlib import Path

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.core.folder_lock import folder_lock
from cvr_data.core.whole_files import whole_folder
from tests.cvr_data.core.killing import files_below


def fill(folder):
    with whole_folder(folder) as new:
        (new / "a").mkdir()
        (new / "a" / "one.txt").write_text("1")
        (new / "two.txt").write_text("2")


def test_files_appear_together_and_nothing_else_stays(tmp_path):
    with whole_folder(tmp_path / "deep" / "out") as new:
        (new / "two.txt").write_text("2")
        assert not (tmp_path / "deep" / "out").exists()
    assert files_below(tmp_path) == {"deep": None, "deep/out": None, "deep/out/two.txt": b"2"}


def test_a_folder_that_is_empty_or_a_link_to_one_is_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    fill(tmp_path / "link")
    assert (tmp_path / "empty" / "a" / "one.txt").read_text() == "1" and (tmp_path / "link").is_symlink()


def test_what_fails_leaves_nothing(tmp_path):
    with pytest.raises(ValueError), whole_folder(tmp_path / "out") as new:
        (new / "one.txt").write_text("1")
        raise ValueError
    assert files_below(tmp_path) == {}


def test_what_a_killed_run_left_goes_also_where_the_folder_is_whole(tmp_path):
    for left in (".out.tmp/.lock", ".out.tmp/out/half.txt"):
        (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / left).touch()
    fill(tmp_path / "out")
    assert sorted(files_below(tmp_path / "out")) == ["a", "a/one.txt", "two.txt"]
    whole = files_below(tmp_path)
    (tmp_path / ".out.tmp").mkdir()
    with pytest.raises(CvrError, match=r"out is not empty; name another --out\.$"):
        fill(tmp_path / "out")
    assert files_below(tmp_path) == whole


def test_one_process_writes_it_at_a_time(tmp_path):
    with folder_lock(tmp_path / ".out.tmp"), pytest.raises(CvrError, match=f"being written by process {os.getpid()}"):
        fill(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_current_folder_and_a_mounted_one_are_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CvrError, match=r"^\. is the folder that you are in"):
        fill(Path())
    if Path("/dev/shm").is_mount() and not any(Path("/dev/shm").iterdir()) and os.access("/dev", os.W_OK):
        with pytest.raises(CvrError, match="a disk is mounted"):
            fill(Path("/dev/shm"))
    assert files_below(tmp_path) == {}

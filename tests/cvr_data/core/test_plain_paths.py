"""Outputs and inputs are plain files and folders."""

import os
import socket
import stat
from pathlib import Path

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.core.reading import check_plain
from cvr_data.core.registry import parse_config
from cvr_data.core.whole_files import write_bytes
from cvr_data.videos.corpora import table


@pytest.fixture
def odd(tmp_path):
    """A pipe, a socket, and links to these and to devices."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s"))
    yield [tmp_path / name for name in ("pipe", "null", "link", "s")]
    listening.close()


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/null", "/dev/fd/1", "/proc/self/mem", "/a/../dev/x"])
def test_what_is_the_systems_is_refused(path):
    with pytest.raises(CvrError, match="no plain file or folder"):
        check_plain(Path(path))


def test_pipes_sockets_and_links_to_them_are_refused(odd):
    for path in odd:
        with pytest.raises(CvrError, match="no plain file or folder"):
            check_plain(path)
        with pytest.raises(CvrError, match="no plain file or folder"):
            write_bytes(path, b"x")
        with pytest.raises(CvrError, match="no plain file or folder"):
            parse_config(table.Config, [f"path={path}"], where="table")


def test_files_folders_and_what_is_not_there_are_taken(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file", tmp_path / "none" / "x", Path("x"), Path("/dev/shm/x")):
        assert check_plain(path) == path


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/null", "/proc/self/fd/1"])
@pytest.mark.parametrize("words", [["stats", "x", "--html"], ["embed", "x", "-O"], ["bench", "-O"]])
def test_no_command_writes_over_a_device(one_line_error, words, path):
    before = os.lstat("/dev/stdout")
    assert "no plain file or folder" in one_line_error(*words, path)
    assert os.lstat("/dev/stdout").st_ino == before.st_ino and stat.S_ISLNK(before.st_mode)


def test_a_pipe_is_no_input(odd, one_line_error):
    assert "no plain file or folder" in one_line_error(
        "import", "table", "-o", f"path={odd[0]}", "--out", odd[0].parent / "v"
    )
    assert "no plain file or folder" in one_line_error("stats", odd[0])
    assert "'a\\x00b' is no text in UTF-8" in one_line_error("stats", "a\0b")

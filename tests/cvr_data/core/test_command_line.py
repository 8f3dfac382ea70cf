"""command_line: a block's command is the one that runs, and the process's own stands again behind it."""

import shlex
import sys

import pytest

from cvr_data.core.command_line import command, running_command


def test_the_innermost_block_says_which_command_runs(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["cvr", "run", "recipe.yaml"])
    with command(["stats", "tiny"]):
        with command(["embed", "videos"]):
            assert running_command() == "cvr embed videos"
        assert running_command() == "cvr stats tiny"
    assert running_command() == "cvr run recipe.yaml"


def test_a_failing_step_leaves_no_command_behind():
    before = running_command()
    with pytest.raises(ValueError, match="broken"), command(["embed"]):
        raise ValueError("broken")
    assert running_command() == before


def test_a_recorded_command_runs_when_it_is_pasted():
    words = ["import", "my videos.csv", "-o", "caption=a 'dog'; rm -r /", "--out", "$HOME"]
    with command(words):
        assert shlex.split(running_command()) == ["cvr", *words]

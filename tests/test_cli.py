"""cli: quick, listed, and every mistake is one line."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import cli
from tests.dataset_folders import write_artifact

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = sorted(cli.command_files())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(cvr, command):
    outcome = cvr.done(command, "--help")
    example = re.search(r"Example:\s+cvr ([\w-]+)", outcome.out)
    assert example, outcome.out
    assert example.group(1) == command


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_number_that_is_none_is_no_option(one_line_error, value):
    for words in (
        ["embed", "x", "--dry-run", "--price-in"],
        ["audit", "x", "--threshold"],
        ["review", "x", "--overlap"],
    ):
        assert re.search("not a finite number|not in the range", one_line_error(*words, value))


def test_a_command_file_imports_nothing_heavy():
    """One process imports them all, so the first that brings a library in is named with those that come after it."""
    code = (
        "import sys, importlib, cli\n"
        "for command, module in cli.command_files().items():\n"
        "    importlib.import_module(module)\n"
        "    found = sorted({'torch', 'pyarrow', 'pandas', 'spacy', 'transformers', 'av'} & set(sys.modules))\n"
        "    print(*[command, *found] if found else [])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_an_unknown_command_is_answered_with_the_nearest(one_line_error):
    assert "Unknown command 'mine-pairz'. Did you mean: mine-pairs" in one_line_error("mine-pairz")


def test_show_suggests_what_it_takes_each_once(one_line_error):
    assert "Did you mean: quickstart" in one_line_error("show", "quikstart")
    assert one_line_error("show", "cirrr").count(" cirr,") == 1  # a corpus, a format and a benchmark
    assert one_line_error("show", "qqqqqq").count(" activitynet") == 1


def test_the_help_fits_a_screen(cvr):
    assert len(cvr("--help").out.splitlines()) <= 40


def test_a_shell_completes_commands_and_names(monkeypatch):
    def completed(*words):
        monkeypatch.setenv("COMP_WORDS", " ".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        done = subprocess.run(
            [sys.executable, "-c", "import cli; cli.main()"], capture_output=True, text=True, cwd=ROOT
        )
        return [line.removeprefix("plain,") for line in done.stdout.splitlines()]

    monkeypatch.setenv("_CVR_COMPLETE", "bash_complete")
    assert completed("cvr", "mine") == ["mine-distractors", "mine-pairs"]
    assert "fdca" in completed("cvr", "bench", "--model", "f")
    assert completed("cvr", "list", "corp") == ["corpora"]


@pytest.mark.parametrize("command", ["split", "build-triplets", "fit-heads", "train-generator", "mine-distractors"])
def test_show_tells_the_options_of_a_command(cvr, command):
    shown = cvr("show", command).out
    assert f"Usage: cvr {command} [OPTIONS]" in shown
    assert "Options (-o key=value):\n  " in shown


def test_list_and_show_know_the_commands(cvr):
    assert len(cvr("list", "commands").out.splitlines()) == 1 + len(COMMANDS)
    assert "Usage: cvr trace [OPTIONS] FOLDER" in cvr("show", "trace").out


def test_ctrl_c_is_130_and_says_how_to_go_on(capsys, monkeypatch):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.group, "main", interrupted)
    assert cli.run(["list"]) == 130
    assert capsys.readouterr().err == "cvr: interrupted; run the same command again to resume.\n"


def test_a_full_disk_is_one_line(capsys, monkeypatch):
    def full(**_):
        raise OSError(28, "No space left on device", "part-00000.parquet")

    monkeypatch.setattr(cli.group, "main", full)
    assert cli.run(["list"]) == 2
    assert capsys.readouterr().err == "cvr: part-00000.parquet: No space left on device.\n"


def test_debug_shows_the_traceback(tmp_path):
    from cvr_data.core.errors import CvrError

    with pytest.raises(CvrError, match="does not exist"):
        cli.run(["--debug", "verify", str(tmp_path / "none")])


def test_verify_and_trace_read_any_folder(cvr, one_line_error, tmp_path):
    import pyarrow as pa

    from cvr_data.core.artifact_writer import ArtifactWriter

    write_artifact(tmp_path / "in", "numbers", pa.table({"x": [1, 2]}))
    with ArtifactWriter(tmp_path / "out", stage="next", inputs={"numbers": tmp_path / "in"}) as writer:
        writer.write_part(0, pa.table({"x": [1]}), dropped=pa.table({"x": [2], "drop_reason": ["even"]}))
        writer.finish()
    assert "next, 1 files, good" not in cvr("verify", tmp_path / "out").out
    assert cvr("verify", tmp_path / "out").out.strip().endswith("next, 2 files, good")
    traced = cvr("trace", tmp_path / "out").out
    assert "next, 1 rows, dropped: 1 even" in traced
    assert "numbers, 2 rows, dropped: none" in traced
    (tmp_path / "in" / "part-00000.parquet").write_bytes(b"x")
    assert "Damaged:" in one_line_error("verify", tmp_path / "in")
    assert "nowhere does not exist" in one_line_error("trace", tmp_path / "nowhere")

"""Every way a command ends badly is one line; what nobody expected is a report beside it."""

import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cvr_data.core import failure_report
from cvr_data.core.failure_report import failure_report_text, write_failure_report
from cvr_data.core.plain_output import LONGEST_LINE, escaped_terminal_text, shortened_output_line
from cvr_data.core.secrets_in_text import mask_secrets
from cvr_data.publish.scan import secrets_to_publish

KEY = "sk-proj-" + "Ab1" * 10


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """A private corpus with a mistake."""
    (tmp_path / "failing").mkdir()
    (tmp_path / "failing" / "corpus.py").write_text(
        '"""A corpus."""\nfrom dataclasses import dataclass\nVERSION = 1\n@dataclass(frozen=True)\nclass Config:\n'
        "    pass\ndef inputs(config):\n    return 1 + None\ndef count(config):\n    pass\n"
        "def load(config, out):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("CVR_CACHE", str(tmp_path / "cache"))
    return "failing.corpus"


def test_an_unexpected_error_is_one_line_that_names_its_report(failing, cvr, tmp_path):
    outcome = cvr("--trust", f"api_key={KEY}", "import", failing, "--out", tmp_path / "out")
    assert outcome.code == 70, outcome
    (line,) = outcome.err.splitlines()
    assert line.startswith("cvr: unexpected error, TypeError: ")
    saved = Path(re.search(r"the report (\S+) tells", line)[1])
    text = saved.read_text()
    assert saved.parent == tmp_path / "cache" / "reports"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert "Traceback (most recent call last)" in text and "torch" in text and f"import {failing}" in text
    assert KEY not in text + line


def test_debug_shows_it(failing, cvr, tmp_path):
    with pytest.raises(TypeError):
        cvr("--debug", "import", failing, "--out", tmp_path / "out")


def test_the_report_goes_elsewhere_where_the_cache_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CVR_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(failure_report.tempfile, "tempdir", str(tmp_path))
    line = write_failure_report(ValueError("first\nsecond"), ["x"])
    assert "ValueError: first (the report " in line and str(tmp_path / "cvr-reports-") in line


def test_a_report_can_be_made_of_half_a_character_and_of_nothing():
    assert "ValueError" in failure_report_text(ValueError("\ud800"), ["\ud800"])
    assert write_failure_report(RecursionError(), []).startswith("unexpected error, RecursionError: RecursionError")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bench", "--nope"], "No such option"), (["sample"], "Missing argument"), (["frobnicate"], "Unknown command"),
        (["list", "--debug=1"], "No such option"), (["bench", "--seed"], "requires an argument"),
        (["download", "films", "x"], "is not one of"), (["list", "\x1b[31mred"], r"\x1b[31mred"),
    ],
)  # fmt: skip
def test_a_usage_error_is_one_line(cvr, words, said):
    outcome = cvr(*words)
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert line.startswith("cvr: ") and said in line


def test_no_command_is_help(cvr):
    assert cvr().err.startswith("Usage: cvr ")


START = "import sys; sys.path.insert(0, {root!r}); from cli import main; print('begun', flush=True); sys.exit(main())"
"""What the script of the command does, and says that it has begun: before, Python itself starts."""


@pytest.mark.slow
@pytest.mark.parametrize("words", [["list"], ["stats", "nowhere"]])
@pytest.mark.parametrize("module", [False, True])
def test_ctrl_c_while_it_starts_is_one_line_and_130(words, module):
    """From our first line on; what comes before is Python's own start, which names none of our functions."""
    root = Path(__file__).parent.parent
    start = ["-m", "cli"] if module else ["-c", START.format(root=str(root))]
    ends = []
    for delay_ms in range(20, 401, 20):
        process = subprocess.Popen(
            [sys.executable, *start, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        time.sleep(delay_ms / 1000)
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=120)
        if process.returncode in (0, 2):  # it was done
            continue
        ends.append(process.returncode)
        if process.returncode == 130:
            assert said.strip() == "cvr: interrupted; run the same command again to resume."  # click starts a new line
        else:
            assert process.returncode in (-signal.SIGINT, 1), said
            assert not re.search(r"cli\.py\", line|cvr_data|cvr_bench", said), said
            # Python is deaf again as it ends: the signal ends it without a word.
            assert "begun" not in printed or "Traceback" not in said, said
    assert 130 in ends


def test_a_pipe_that_is_closed_ends_quietly():
    process = subprocess.Popen(
        [sys.executable, "-c", "import cli; cli.main()", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    process.stdout.close()
    _, said = process.communicate(timeout=120)
    assert said == b""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Ja ball", r"\x1b[2Ja ball"), ("a\x1b]0;title\x07", r"a\x1b]0;title\x07"), ("\x9b31m", r"\x9b31m"),
        ("a\u202etxt", r"a\u202etxt"), ("a\tb\nc", "a\tb\nc"), ("\x1b[32mok\x1b[0m", "\x1b[32mok\x1b[0m"),
        ("caf\u00e9 \u4e2d", "caf\u00e9 \u4e2d"), ("a\rb", r"a\rb"), ("\x1b[8mhidden", r"\x1b[8mhidden"),
    ],
)  # fmt: skip
def test_control_characters_are_shown_and_not_obeyed(text, shown):
    assert escaped_terminal_text(text) == shown


def test_the_middle_of_a_long_line_is_left_out():
    assert shortened_output_line("x" * LONGEST_LINE) == "x" * LONGEST_LINE
    assert shortened_output_line("a" * 600 + "b" * 3_000_000 + "c" * 200) == (
        f"{'a' * 400} [... 3,000,200 characters ...] {'c' * 200}"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "code", "place"), [("split", 2, "a: the split '1.x"), ("start", 0, "line 2: start '")]
)
def test_a_cell_of_megabytes_is_told_with_its_place(column, code, place, cvr, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(f"video_id,caption,{column}\na,a ball,{'1.x ' * 750_000}\n")
    outcome = cvr("import", "table", table, "-o", f"{column}={column}", "--out", tmp_path / "videos")
    assert outcome.code == code
    assert place in outcome.out + outcome.err
    assert max(map(len, (outcome.out + outcome.err).splitlines())) < LONGEST_LINE + 200


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["x", "a.b-c+", "://", "://a:", "token", "token=", "token = ", "_-", "-----BEGIN "])
def test_megabytes_of_anything_are_looked_through_once(piece):
    """Looked at from each of its letters anew, such a text took hours: 3 million times 3 million steps."""
    text = piece * (3_000_000 // len(piece))
    assert len(mask_secrets(f"{text} https://me:word@host/a {text}")) <= 2 * len(text) + 40
    assert "word" not in mask_secrets(f"{text} https://me:word@host/a")
    assert secrets_to_publish(text + " ") in ([], ["a password or token by its name"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("--urls https://me:word@host/a", "--urls https://me:***@host/a"),
        (f"-o extra={{\"x\": \"{KEY}\"}}", '-o extra={"x": "***"}'),
        ('-o extra={"api_key": "abc12345"}', '-o extra={"api_key": "***"}'),
        ("-o max_tokens=123456", "-o max_tokens=123456"), ("https://host:80/a@b", "https://host:80/a@b"),
        ('{"pass": "abc12345", "auth": "abc12345", "pwd": "abc12345"}', '{"pass": "***", "auth": "***", "pwd": "***"}'),
        ("a mountain pass: beautiful", "a mountain pass: beautiful"),
        ("Authorization: Bearer abcdefgh", "Authorization: Bearer ***"),
    ],
)  # fmt: skip
def test_keys_and_passwords_are_masked(text, shown):
    assert mask_secrets(text) == shown


def test_a_recipe_shows_no_password_of_its_steps(cvr, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("name: mine\nsteps:\n  - cvr download videos x --urls https://me:abc12345@host/a.csv\n")
    for more in (["--dry-run"], ["--in", tmp_path]):
        outcome = cvr("run", recipe, *more)
        assert "https://me:***@host" in outcome.out + outcome.err
        assert "abc12345" not in outcome.out + outcome.err


def test_captions_cannot_write_to_the_terminal(cvr, tmp_path):
    (tmp_path / "t.csv").write_text("video_id,caption\na,\x1b]0;owned\x07a red ball\nb,a blue ball\n")
    cvr("import", "table", "-o", f"path={tmp_path}/t.csv", "--out", tmp_path / "videos")
    outcome = cvr("why-not", tmp_path / "videos", "a", "b")
    assert "\x1b" not in outcome.out + outcome.err

"""Processes that commands start end with them, though nobody could tell them, and hear no Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.steps import run_steps

ROOT = Path(__file__).parents[3]
COMMAND = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import cli; cli.main()"
WAITS_S = 30
MANY = ("-o", "train=2000", "-o", "val=0", "-o", "test=0", "-o", "size=64")
COMMANDS = {
    "rendering": ("import", "synthetic", *MANY, "-o", "workers=2", "-O", "out"),
    "devices": ("embed", "videos", "--encoder", "hash", "-o", "dim=512", "--device", "cpu:0,cpu:1", "-O", "out"),
    "training": (
        "bench", "-m", "combiner", "--data", "triplets", "--embeddings", "embeddings", "--devices", "2", "-t",
        "epochs=100000", "--no-audit", "-O", "out",
    ),
}  # fmt: skip
WORLD = """
import synthetic --out videos -o train=3000 -o val=0 -o test=0 -o render=false
import synthetic --out few -o train=60 -o val=20 -o test=20 -o render=false
embed few --out embeddings --encoder hash -o dim=8 -o frames=1
mine-pairs few --out pairs --filter none
generate-modifications pairs --llm rules --out texts
build-triplets texts --out triplets
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What the commands read."""
    return run_steps(tmp_path_factory.mktemp("world"), WORLD)


@pytest.fixture
def started(request, world, tmp_path):
    """A command with two processes at work, and those processes."""
    for path in world.iterdir():
        (tmp_path / path.name).symlink_to(path)
    log = (tmp_path / "log.txt").open("w")
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *COMMANDS[request.param]], cwd=tmp_path, stdout=log, stderr=log,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    ends = time.monotonic() + 120
    while len(found := workers_of(command.pid)) < 2 and command.poll() is None and time.monotonic() < ends:
        time.sleep(0.02)
    try:
        assert len(found) >= 2, (tmp_path / "log.txt").read_text()
        yield command, psutil.Process(command.pid).children(recursive=True), tmp_path / "log.txt"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(command.pid, signal.SIGKILL)
        command.wait()
        log.close()


def workers_of(command):
    """The processes that do its work, not what keeps the books of multiprocessing."""
    with suppress(psutil.Error):
        found = psutil.Process(command).children(recursive=True)
        return [each for each in found if "resource_tracker" not in " ".join(each.cmdline())]
    return []


@pytest.mark.slow
@pytest.mark.parametrize("started", list(COMMANDS), indirect=True)
def test_workers_end_with_a_command_that_is_killed(started):
    command, children, _ = started
    time.sleep(0.5)
    command.kill()
    command.wait()
    assert psutil.wait_procs(children, timeout=WAITS_S)[1] == []


@pytest.mark.slow
@pytest.mark.parametrize("started", list(COMMANDS), indirect=True)
@pytest.mark.parametrize("delay_s", [0, 1])
def test_ctrl_c_of_the_terminal_is_one_line_of_the_command_and_ends_its_workers(started, delay_s):
    command, children, log = started
    time.sleep(delay_s)
    os.killpg(command.pid, signal.SIGINT)
    assert command.wait(timeout=60) == 130
    assert psutil.wait_procs(children, timeout=WAITS_S)[1] == []
    said = log.read_text()
    assert said.count("cvr: interrupted; run the same command again to resume.") == 1
    assert "Traceback" not in said and "Exception ignored" not in said, said

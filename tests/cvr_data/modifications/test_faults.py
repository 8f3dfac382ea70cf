"""Nothing is lost: engines that fail, stammer and restart; Ctrl-C and kill -9; errors asked again by a rerun."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from cvr_data.modifications.generate import generate_modifications
from cvr_data.modifications.generator import Config
from cvr_data.tables import PAIRS
from tests.dataset_folders import mined_pair, write_artifact

pytestmark = pytest.mark.slow

BACKEND = "tests.cvr_data.modifications.slow_backend"
ROOT = Path(__file__).resolve().parents[3]


def write_pairs(folder, count):
    rows = [mined_pair((f"r{n}", f"t{n}"), (f"a red ball number{n} bounces", f"a blue ball number{n} bounces"))
            for n in range(count)]  # fmt: skip
    return write_artifact(folder, "mine-pairs", rows, PAIRS)


@pytest.fixture
def prompt(tmp_path):
    """A prompt with a JSON answer, so that a malformed one can be told."""
    path = tmp_path / "json.yaml"
    schema = {"type": "object", "properties": {"modification": {"type": "string"}}, "required": ["modification"]}
    content = {"summary": "s", "source": "s", "style": "mine", "changes": "any", "schema": schema,
               "user": "$reference_caption: $before to $after", "decoding": {"temperature": 0.5}}  # fmt: skip
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def asked(log):
    return Counter(log.read_text(encoding="utf-8").splitlines()) if log.exists() else Counter()


@pytest.mark.parametrize("attempts", [1, 3])
def test_every_row_ends_ok_rejected_or_error_none_missing_none_twice(tmp_path, prompt, attempts):
    pairs, log, count = write_pairs(tmp_path / "pairs", 1000), tmp_path / "log.txt", 2
    options = (f"log={log}", "fail=100", "stammer=100", "restart_at=700")
    config = Config(prompt=prompt, backend=BACKEND, options=options, attempts=attempts, num_texts=count)
    artifact = generate_modifications(pairs, tmp_path / "mods", config, cache=tmp_path / "c.sqlite")
    rows = artifact.read().to_pylist()
    assert len(rows) == len({row["modification_id"] for row in rows}) == 1000 * count
    assert Counter(row["pair_id"] for row in rows) == dict.fromkeys({row["pair_id"] for row in rows}, count)
    assert all((row["status"] == "ok") == (row["reasons"] == []) for row in rows)
    assert all((row["status"] == "error") == (row["modification"] is None and row["raw"] is None) for row in rows
               if row["reasons"] != ["truncated"])  # fmt: skip
    status = artifact.manifest["status"]
    assert sum(status.values()) == 2000
    if attempts == 1:
        assert status["error"] >= 15 and status["rejected"] >= 5
        assert set(artifact.manifest["reasons"]) == {"connection refused", "status 500", "truncated"}
    else:
        assert status == {"ok": 2000}


def test_a_rerun_asks_the_errors_again_and_nothing_else(tmp_path, prompt):
    pairs, log = write_pairs(tmp_path / "pairs", 300), tmp_path / "log.txt"
    cache, out = tmp_path / "c.sqlite", tmp_path / "mods"
    bad, good = ((f"log={log}", "fail=10"), (f"log={log}",))
    first = generate_modifications(
        pairs, out, Config(prompt=prompt, backend=BACKEND, options=bad, attempts=1), cache=cache
    )
    failed = first.manifest["status"]["error"]
    assert 10 < failed < 60 and first.manifest["requests"]["failed"] == failed
    again = generate_modifications(
        pairs, out, Config(prompt=prompt, backend=BACKEND, options=good, attempts=1), cache=cache
    )
    assert again.manifest["status"] == {"ok": 300}
    assert again.manifest["requests"]["asked"] == failed
    assert "given the request cache" in again.manifest["determinism"]
    before = sum(asked(log).values())
    assert generate_modifications(
        pairs, out, Config(prompt=prompt, backend=BACKEND, options=good, attempts=1), cache=cache
    ).manifest == again.manifest  # fmt: skip
    assert sum(asked(log).values()) == before


HEARS_CTRL_C = "import signal, cli; signal.signal(signal.SIGINT, signal.default_int_handler); cli.main()"
"""A job in the background of a shell inherits a deaf ear for SIGINT."""


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_loses_at_most_the_request_in_flight(tmp_path, kill):
    pairs, log, out = write_pairs(tmp_path / "pairs", 300), tmp_path / "log.txt", tmp_path / "mods"
    command = [sys.executable, "-c", HEARS_CTRL_C, "generate-modifications", pairs, "--llm", BACKEND,
               "--attempts", "1", "-O", out, "--cache", tmp_path / "c.sqlite", "-o", f"log={log}"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen([*map(str, command), "-o", "pause_s=0.01"], cwd=ROOT, env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    deadline = time.monotonic() + 60
    while sum(asked(log).values()) < 40 and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(kill)
    _, told = running.communicate(timeout=60)
    answered = sum(asked(log).values())
    assert 40 <= answered < 300 and running.returncode != 0 and "Traceback" not in told
    assert not (out / "manifest.json").exists()
    again = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert again.returncode == 0, again.stderr
    assert len(asked(log)) == 300
    assert sum(asked(log).values()) <= 301
    assert f"{300 - answered} requests asked" in again.stdout or f"{301 - answered} requests asked" in again.stdout

"""`speed/gpu.py`: every section runs, small and on the processor; one that fails or never ends is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
SECTIONS = ("precision", "fdca", "covr-blip", "embedding", "ranking", "processes")


def run(*words, **environment):
    command = [sys.executable, ROOT / "speed" / "gpu.py", *words]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", **environment}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_without_a_card_nothing_is_measured(tmp_path):
    done = run("--out", tmp_path / "found.json")
    assert done.returncode == 0, done.stderr
    assert "sees no GPU, so nothing was measured" in done.stdout
    assert not list(tmp_path.iterdir())


def test_every_section_runs_on_the_processor(tmp_path):
    words = ["--device", "cpu", "--tiny", "--models", "combiner", "--sections", ",".join(SECTIONS)]
    done = run(*words, "--out", tmp_path / "found.json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert all(found[name]["failed"] == [] for name in SECTIONS)
    models = found["precision"]["models"]
    assert {name: set(kinds) for name, kinds in models.items()} == {"combiner": {"no", "bf16"}}
    assert all(row["last_loss"] < row["first_loss"] for kinds in models.values() for row in kinds.values())
    for name in ("fdca", "covr-blip"):
        assert found[name]["steps"]["as it is"]["flops"] > found[name]["batch"] * found[name]["parameters"]
    assert set(found["covr-blip"]["steps"]) == {"as it is", "compiled"}
    assert found["ranking"]["equal_ranks"] == 1
    assert list(found["processes"]["gradient_error"]) == ["0 combiner"]
    assert found["embedding"]["types"]["float32"]["finite"]


def test_a_section_is_ended_when_its_time_is_over_and_a_broken_one_is_told(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "speed"))
    import argparse

    import gpu

    given = argparse.Namespace(device="cpu", models="")
    assert gpu.boxed("ranking", given, 0.05) == {"failed": ["ended after its 0.05 s"]}
    assert gpu.boxed("no-such-section", given, 60) == {"failed": ["ended with code 2"]}


def test_all_sections_together_take_eight_minutes_at_most(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "speed"))
    import gpu

    assert sum(gpu.SECTIONS.values()) <= 8 * 60

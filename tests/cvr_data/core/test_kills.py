"""Shipped stages, killed at random moments and run again, write what they write when nobody kills them."""

import subprocess
import sys
from pathlib import Path

import pytest

from cvr_data.core.artifact_files import RUNNING
from cvr_data.core.artifacts import WORK, ArtifactWriter
from cvr_data.core.folder_lock import LOCK

KILLS = Path(__file__).parents[3] / "speed" / "kills.py"


@pytest.mark.slow
@pytest.mark.engine
def test_a_dozen_kills_of_shipped_stages_lose_nothing():
    ran = subprocess.run(
        [sys.executable, str(KILLS), "--kills", "2", "--stages", "import", "mine-pairs", "given", "neighbors",
         "concept", "generate-modifications", "build-triplets"], capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "14 of 14 kills lost nothing" in ran.stdout


def test_a_kill_after_the_manifest_leaves_nothing_behind_once_the_command_runs_again(tmp_path):
    with ArtifactWriter(tmp_path / "out", stage="numbers") as writer:
        writer.finish()
    (tmp_path / "out" / WORK / "01-rows").mkdir(parents=True)
    for name in (LOCK, RUNNING):
        (tmp_path / "out" / name).touch()
    assert ArtifactWriter(tmp_path / "out", stage="numbers").finished() is not None
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.json"]


def test_a_file_that_a_killed_run_could_not_rename_goes_with_the_next(tmp_path):
    with ArtifactWriter(tmp_path / "out", stage="numbers") as writer:
        (tmp_path / "out" / ".part-00000.parquet.0123456789ab.tmp").touch()
        writer.write_file("notes.txt", b"")
        writer.finish()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["manifest.json", "notes.txt"]

"""Shipped stages, killed at random moments and run again, write what they write when nobody kills them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cli
from cvr_data.core.artifact_files import RUNNING
from cvr_data.core.artifact_writer import WORK, ArtifactWriter
from cvr_data.core.folder_lock import LOCK
from tests.cvr_data.core.killing import kill_at
from tests.steps import TRIPLETS_OF_THREE_SPLITS, run_steps

KILLS = Path(__file__).parents[3] / "speed" / "kills.py"


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.parametrize(
    ("kills", "words"),
    [
        (12, ["--kills", "2", "--stages", "import", "embed", "split", "given", "neighbors", "build-triplets"]),
        (4, ["--kills", "4", "--on", "two", "--stages", "mine-pairs", "--seed", "1"]),
    ],
    ids=["here", "two"],
)  # fmt: skip
def test_kills_of_shipped_stages_lose_nothing_and_leave_no_worker(kills, words):
    ran = subprocess.run([sys.executable, str(KILLS), *words], capture_output=True, text=True, timeout=900)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{kills} of {kills} kills lost nothing" in ran.stdout


@pytest.mark.slow
@pytest.mark.engine
def test_kills_where_files_change_lose_nothing_and_what_is_replaced_stays_until_the_end():
    words = ["--stages", "import", "replace", "--step", "20"]
    ran = subprocess.run(
        [sys.executable, str(KILLS.with_name("kill_points.py")), *words], capture_output=True, text=True, timeout=600
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "times the old one was whole" in ran.stdout and "kills at" in ran.stdout.splitlines()[-1]


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


BEGINNINGS = {
    "import": "import synthetic --out out -o train=2 -o val=2 -o test=2 -o render=false",
    "embed": "embed videos --encoder hash -o dim=4 -o frames=1 --out out",
    "split": "split videos --out out",
    "bench": "bench --model sum --data triplets --embeddings embeddings --no-audit --out out",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return run_steps(tmp_path_factory.mktemp("world"), TRIPLETS_OF_THREE_SPLITS)


@pytest.mark.slow
@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_kill_before_the_run_has_said_what_it_is_does_not_keep_the_next_from_running(
    name, world, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for path in world.iterdir():
        (tmp_path / path.name).symlink_to(path)
    words = BEGINNINGS[name].split()
    kills = 0
    while True:
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        kills += 1
        kill_at(kills, lambda: cli.run(words))
        left = shutil.copytree(tmp_path / "out", tmp_path / f"left-{kills}") if (tmp_path / "out").exists() else None
        assert cli.run(words) == 0, (kills, left and [*left.rglob("*")])
        if list((tmp_path / f"left-{kills}").rglob(RUNNING)):
            break
    assert kills >= 2
    names = [path.name for path in (tmp_path / "out").rglob("*")]
    assert not [each for each in names if each.endswith(".tmp") or each in (RUNNING, LOCK, WORK)]

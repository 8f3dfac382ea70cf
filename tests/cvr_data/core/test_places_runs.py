"""Whole runs at addresses: the bytes of a run on a disk, whoever does the jobs and whatever is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cvr_data.core.artifacts import verify
from cvr_data.core.engine import Engine
from cvr_data.core.jobs import use_engine
from cvr_data.core.places import names_below, path_or_address
from tests.cvr_data.core import test_runner
from tests.cvr_data.core.test_runner import rows_of, write
from tests.hub_server import HubServer

pytestmark = pytest.mark.slow
VARYING = ("command", "finished", "seconds", "requests", "rows_per_s")
"""What two manifests of one run on a disk differ in."""


def files_of(folder, *, without=()):
    """Name -> bytes of the files of an artifact, of its manifest what does not differ from run to run."""
    files = {name: (folder / name).read_bytes() for name in names_below(folder) if name not in without}
    manifest = {key: value for key, value in json.loads(files["manifest.json"]).items() if key not in VARYING}
    for entry in ("files", "bytes"):
        manifest[entry] = {name: value for name, value in manifest[entry].items() if name not in without}
    return {**files, "manifest.json": manifest}


@pytest.fixture
def both(folder, tmp_path):
    """The same rows on a disk and at an address, and what a run makes of them on the disk."""
    for place in (tmp_path, folder):
        write(place / "in", rows_of(1), 9)
    test_runner.run(tmp_path / "out", tmp_path / "in")
    return folder, files_of(tmp_path / "out")


def test_workers_at_an_address_write_the_bytes_of_a_run_on_a_disk(both):
    folder, expected = both
    with use_engine(Engine("local", 2)):
        test_runner.run(folder / "out", folder / "in")
    assert files_of(folder / "out") == expected
    assert verify(folder / "out") == []
    assert not [path for path in (folder / "out").iterdir() if path.name.startswith(".")]


@pytest.mark.engine
def test_workers_of_ray_share_nothing_but_the_store(both):
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    folder, expected = both
    with use_engine(Engine("ray", 2)):
        test_runner.run(folder / "out", folder / "in")
    assert files_of(folder / "out") == expected


COMMAND = """
import sys
sys.path.insert(0, {root!r})
from cvr_data.core.places import path_or_address
from tests.cvr_data.core.test_runner import run
if __name__ == "__main__":
    run(path_or_address(sys.argv[1]), path_or_address(sys.argv[2]))
"""


def test_a_run_at_an_address_that_is_killed_goes_on_to_the_same_bytes(both):
    folder, expected = both
    root = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", COMMAND.format(root=root), str(folder / "out"), str(folder / "in")]
    process = subprocess.Popen(command)
    while process.poll() is None and sum(name.endswith(".json") for name in folder.fs.find(folder.path)) < 6:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert "manifest.json" not in names_below(folder / "out")
    test_runner.run(folder / "out", folder / "in")
    assert files_of(folder / "out") == expected


CAPTIONS = (
    "a dog runs on the beach", "a cat runs on the beach", "a dog sleeps on the beach", "a man plays a red guitar",
    "a man plays a blue guitar", "a woman plays a red guitar", "two birds fly over water", "two birds fly over land",
)  # fmt: skip


def test_the_commands_write_and_read_addresses(cvr, folder, tmp_path):
    lines = [f"v{number},{text},{'test' if number > 5 else 'train'}\n" for number, text in enumerate(CAPTIONS)]
    made = []
    for home in (tmp_path, folder):
        (home / "table.csv").write_text("".join(["id,caption,split\n", *lines]))
        for words in (
            ("import", "table", home / "table.csv", "-o", "id=id", "-o", "split=split", "-O", home / "videos"),
            ("mine-pairs", home / "videos", "--filter", "none", "-O", home / "pairs"),
            ("generate-modifications", home / "pairs", "--llm", "rules", "-O", home / "texts"),
            ("build-triplets", home / "texts", "-O", home / "triplets", "--name", "tiny"),
        ):
            cvr.done(*words)
        looks = [("verify", home / "pairs"), ("stats", home / "triplets"), ("sample", home / "texts")]
        looks += [("trace", home / "triplets")]
        told = [cvr(*words) for words in looks]
        assert [outcome.code for outcome in told] == [0] * 4, told
        made.append([outcome.out for outcome in told[:3]])
        stages = [files_of(home / name) for name in ("videos", "pairs", "texts")]
        # The card of the triplets shows the commands, which name the folders.
        made[-1] = [text.replace(str(home), "HOME") for text in made[-1]]
        made[-1] += [*stages, files_of(home / "triplets", without=("README.md",))]
    assert made[0] == made[1]
    assert "10 rows" in told[3].out and str(folder / "table.csv") in told[3].out


def test_stages_with_media_and_features_read_and_write_addresses(cvr, tmp_path):
    made = []
    for home in (tmp_path, path_or_address("memory://bucket/world")):
        for words in (
            ("import", "synthetic", "-O", home / "videos", "-o", "train=8", "-o", "test=4", "-o", "val=0"),
            ("embed", home / "videos", "--encoder", "hash", "-O", home / "features"),
            ("split", home / "videos", "--embeddings", home / "features", "-O", home / "split"),
            ("mine-pairs", home / "split", "--embeddings", home / "features", "-f", "none", "-O", home / "pairs"),
            ("truth-modifications", home / "pairs", "-O", home / "texts"),
            ("build-triplets", home / "texts", "--embeddings", home / "features", "-O", home / "set", "--name", "x"),
            ("frame-scores", home / "set", "--embeddings", home / "features", "-O", home / "scored"),
            ("mine-distractors", home / "set", home / "split", "--embeddings", home / "features", "-O", home / "more"),
        ):
            options = ["-o", "workers=1"] if words[0] == "import" else []
            cvr.done(*words, *options)
        names = ("videos", "features", "split", "pairs", "texts", "set", "scored", "more")
        made.append({name: files_of(home / name, without=("README.md",)) for name in names})
    assert made[0] == made[1]


OF_THE_HUB = """
import sys, cli
from huggingface_hub import HfApi
hub, home = HfApi(), sys.argv[1]
hub.create_repo("user/name", repo_type="dataset")
there = "hf://datasets/user/name"
assert cli.run(["import", "table", f"{home}/table.csv", "-O", f"{home}/videos"]) == 0
hub.upload_folder(folder_path=home, repo_id="user/name", repo_type="dataset", allow_patterns=["table.csv", "videos/*"])
assert cli.run(["import", "table", f"{there}/table.csv", "-O", f"{home}/again"]) == 0
assert cli.run(["verify", f"{there}/videos"]) == 0
assert cli.run(["mine-pairs", f"{there}/videos", "--filter", "none", "-O", f"{home}/pairs"]) == 0
assert cli.run(["mine-pairs", f"{there}/videos", "--filter", "none", "-O", f"{there}/pairs"]) == 2
"""


def test_what_lies_on_the_hub_is_read_by_its_address(tmp_path):
    (tmp_path / "table.csv").write_text("video_id,caption\na,a dog runs\nb,a cat runs\n")
    with HubServer() as hub:
        environment = {**os.environ, **hub.environment(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
        command = [sys.executable, "-c", OF_THE_HUB, str(tmp_path)]
        ran = subprocess.run(
            command, env=environment, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=300
        )
    assert ran.returncode == 0, ran.stderr
    assert "hf://datasets/user/name/videos: import-table, 1 files, good" in ran.stdout
    assert files_of(tmp_path / "again")["part-00000.parquet"] == files_of(tmp_path / "videos")["part-00000.parquet"]
    assert "2 pairs" in ran.stdout and "can be read, not written" in ran.stderr

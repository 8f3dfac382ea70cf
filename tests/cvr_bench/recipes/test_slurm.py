"""A recipe that begins at the downloads: its lines are commands, and the rest runs on what they would have fetched."""

import os
import signal
import subprocess
import time
from pathlib import Path

import click
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

import cli
from cvr_bench.recipes import RECIPE_FOLDERS
from cvr_bench.recipes.recipe import built_in_recipes, load_recipe
from cvr_bench.recipes.slurm import asked_of_slurm, sbatch_text
from cvr_bench.results.result import read_result
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.download.source import load_source
from cvr_data.formats import webvid_covr
from cvr_data.media.video import write_mp4
from tests.benchmark_samples import SAMPLES
from tests.labelled_clips import scene

RECIPE = built_in_recipes(RECIPE_FOLDERS)["covr-blip-released"]
FETCHING = ("download", "import-checkpoint")
"""Steps that need the network, or what it gave."""
TEST = SAMPLES / "webvid-covr" / "webvid8m-covr_test.csv"
VIDEOS = ("001/101", "001/102", "001/103", "002/104", "002/105", "002/106", "002/107")
"""All that the sample's triplets name."""


def test_each_line_is_a_command_and_each_download_is_described():
    recipe = load_recipe(RECIPE)
    for words in recipe.steps:
        command = cli.group.get_command(click.Context(cli.group), words[0])
        assert command is not None and command.make_context(words[0], list(words[1:]), resilient_parsing=False)
    fetched = [words for words in recipe.steps if words[0] == "download"]
    assert [words[1] for words in fetched] == ["annotations", "videos", "checkpoints"]
    for words in fetched:
        assert load_source(words[2]).entries(words[1], words[words.index("--split") + 1])


@pytest.mark.slow
def test_from_the_downloaded_clips_on_it_runs(cvr, tmp_path):
    content = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    content["steps"] = [line for line in content["steps"] if line.split()[1] not in FETCHING]
    (tmp_path / "rest.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    clips = tmp_path / "clips"
    for number, video_id in enumerate(VIDEOS[:-1]):  # one was not served any more
        (clips / video_id).parent.mkdir(parents=True, exist_ok=True)
        write_mp4(clips / f"{video_id}.mp4", scene(number, frames=6, side=32))
    train = tmp_path / "train.parquet"
    pq.write_table(webvid_covr.read(webvid_covr.Config(split="train"), TEST), train)
    small = "-o width=8 -o layers=1 -o heads=2 -o reference_tokens=reference-tokens"
    out = cvr(
        "run", tmp_path / "rest.yaml", "--in", tmp_path / "run", "-o", f"clips={clips}",
        "-o", f"test={TEST}", "-o", f"model={small}",
        "-o", "encoder=--encoder hash -o dim=16", "-o", "looked_at=--encoder hash -o dim=16",
        "-o", f"start=--train-data {train} -t epochs=1 -t batch_size=2",
        "-o", "data_options=-D counts=any",
    )  # fmt: skip
    assert out.code == 0, out.err[-1500:]
    videos = open_artifact(tmp_path / "run" / "videos").read().to_pylist()
    assert {row["video_id"] for row in videos if row["path"]} == set(VIDEOS[:-1])
    [path] = (tmp_path / "run" / "results").rglob("result.json")
    result = read_result(path.parent)
    assert np.isfinite(result.interval("R@1").value)
    assert result.record["task"]["gallery"] == 4  # distinct targets; the hash encoder draws what has no file


@pytest.mark.slow
def test_a_job_that_is_interrupted_ends_its_command_and_asks_for_more(tmp_path):
    for name, lines in {
        "cvr": "trap 'echo ended > ended; exit 0' INT; touch begun; while :; do sleep 0.05; done",
        "scontrol": 'echo "$@" > asked',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{lines}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "job").write_text(sbatch_text("mine", ["run", "mine"], {}, {}), encoding="utf-8")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "17"}
    job = subprocess.Popen(["bash", "job"], cwd=tmp_path, env=environment)
    while not (tmp_path / "begun").exists():
        assert job.poll() is None
        time.sleep(0.02)
    job.send_signal(signal.SIGINT)
    assert job.wait(30) == 0
    assert (tmp_path / "ended").exists() and (tmp_path / "asked").read_text() == "requeue 17\n"


@pytest.mark.parametrize("asked", [{"cpus": 0}, {"hours": -1}, {"gpus": True}, {"disk": 1}])
def test_what_no_job_can_ask_for_is_one_line(asked):
    with pytest.raises(CvrError, match=r"mine\.yaml: slurm"):
        asked_of_slurm(asked, "mine.yaml")


def test_a_recipe_prints_a_batch_file_that_bash_reads(cvr, tmp_path):
    out = cvr("run", "covr-blip-released", "--in", "my runs", "-o", "data=/scratch/data", "--sbatch")
    assert out.code == 0, out.err
    lines = out.out.splitlines()
    assert lines[0] == "#!/bin/bash"
    assert {"#SBATCH --gres=gpu:1", "#SBATCH --mem=32G", "#SBATCH --time=12:00:00"} <= set(lines)
    assert "cvr run covr-blip-released --in 'my runs' -o data=/scratch/data &" in lines
    assert any("Disk 15 GB" in line for line in lines)
    (tmp_path / "job").write_text(out.out)
    assert subprocess.run(["bash", "-n", tmp_path / "job"], capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("slurm", "told"),
    [({"gpu": 1}, "unknown key 'gpu'"), ({"hours": "two"}, "whole number"), ([1], "slurm should have gpus")],
)
def test_what_is_asked_of_slurm_is_checked(slurm, told, tmp_path, one_line_error):
    path = Path(tmp_path / "r.yaml")
    path.write_text(yaml.safe_dump({"steps": ["cvr list models"], "slurm": slurm}))
    assert told in one_line_error("run", path, "--dry-run")

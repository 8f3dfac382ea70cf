"""A recipe as a batch file for Slurm."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from cvr_bench.recipes.slurm import recipe_batch_script, recipe_slurm_options
from cvr_data.core.errors import CvrError


@pytest.mark.slow
def test_a_job_that_is_interrupted_ends_its_command_and_asks_for_more(tmp_path):
    for name, lines in {
        "cvr": "trap 'echo ended > ended; exit 0' INT; touch begun; while :; do sleep 0.05; done",
        "scontrol": 'echo "$@" > asked',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{lines}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "job").write_text(recipe_batch_script("mine", ["run", "mine"], {}, {}), encoding="utf-8")
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
        recipe_slurm_options(asked, "mine.yaml")


def test_a_recipe_prints_a_batch_file_that_bash_reads(cvr, tmp_path):
    out = cvr("run", "covr-blip-released", "--in", "my runs", "-o", "folder=/scratch/data", "--sbatch")
    assert out.code == 0, out.err
    lines = out.out.splitlines()
    assert lines[0] == "#!/bin/bash"
    assert {"#SBATCH --gres=gpu:1", "#SBATCH --mem=32G", "#SBATCH --time=12:00:00"} <= set(lines)
    assert "cvr run covr-blip-released --in 'my runs' -o folder=/scratch/data &" in lines
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

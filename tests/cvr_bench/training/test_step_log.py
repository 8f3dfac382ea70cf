"""Numbers of a training in TensorBoard's event files and in a run of Weights & Biases that stays offline."""

import time

import pytest
import torch

from cvr_bench.training.config import TrainConfig
from cvr_bench.training.step_log import STEPS, StepLog


def log_some(folder, **options):
    """Four steps and two epochs of two."""
    folder.mkdir(parents=True, exist_ok=True)
    with StepLog(folder, TrainConfig(log_every=2, **options), done=0, steps_per_epoch=2) as log:
        for step in range(4):
            log.step(step, {"loss": torch.tensor(4.0 - step), "lr": 0.5})
            if step % 2:
                log.epoch({"epoch": (step + 1) // 2, "loss": 9.0, "R@1": 10.0 * step})


def test_rows_after_a_resume_replace_those_that_are_run_again(tmp_path):
    log_some(tmp_path)
    with StepLog(tmp_path, TrainConfig(log_every=2), done=2, steps_per_epoch=2) as log:
        log.step(3, {"loss": 0.25, "lr": 0.5})
        log.epoch({"epoch": 2, "loss": 9.0})
    assert (tmp_path / STEPS).read_text() == "step,loss,lr\n2,3,0.5\n4,0.25,0.5\n"


def test_without_steps_wanted_there_is_no_file(tmp_path):
    with StepLog(tmp_path, TrainConfig(), done=0, steps_per_epoch=2) as log:
        log.step(0, {"loss": 1.0})
        log.epoch({"epoch": 1, "loss": 1.0})
    assert not list(tmp_path.iterdir())


def test_tensorboard_reads_what_was_logged(tmp_path):
    pytest.importorskip("tensorboard", reason="needs tensorboard: pip install 'cvr[loggers]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log_some(tmp_path / "training", loggers="tensorboard")
    events = EventAccumulator(str(tmp_path / "training/tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("step/loss")] == [(2, 3.0), (4, 1.0)]
    assert [(event.step, event.value) for event in events.Scalars("epoch/R@1")] == [(2, 10.0), (4, 30.0)]


@pytest.mark.slow
def test_wandb_keeps_an_offline_run_in_the_folder(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="needs wandb: pip install 'cvr[loggers]'")
    for name, value in {"MODE": "offline", "SILENT": "true", "DISABLE_GIT": "true", "CONSOLE": "off"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    log_some(tmp_path / "training", loggers="wandb")
    (run,) = (tmp_path / "training/wandb").glob("offline-run-*")
    written, deadline = next(run.glob("*.wandb")), time.monotonic() + 120
    while b"epoch/R@1" not in written.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.1)  # wandb's own process writes it, at times after the run is finished
    assert b"step/loss" in written.read_bytes()
    assert b"epoch/R@1" in written.read_bytes()

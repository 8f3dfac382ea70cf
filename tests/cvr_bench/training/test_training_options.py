"""Options of the trainer: what each changes, and that a resume with all of them changes nothing."""

import csv
import dataclasses
import functools

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from cvr_bench.models import MODELS
from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.training.loop import training_mode
from cvr_bench.training.optimizers import BertAdam, lr_share, make_optimizer, set_lr
from cvr_bench.training.state import MovingAverage
from cvr_bench.training.train import TrainConfig, train
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from tests.cvr_bench.training.test_train import MADE_BY, task_of, weights

pytestmark = pytest.mark.slow

QUICK = TrainConfig(epochs=3, batch_size=8, patience=0)


@functools.cache
def encoder():
    return ENCODERS.get("hash").load(ENCODERS.config("hash", {"dim": "8", "frames": "2"}))


@functools.cache
def triplets():
    targets = [f"t{row % 10}" for row in range(24)]
    return TrainingSet(
        reference_ids=[f"v{row % 7}" for row in range(24)],
        modifications=[f"make it {row}" for row in range(24)],
        target_ids=targets,
        target_group_ids=targets,
    )


def model():
    component = MODELS.get("combiner")
    return component.load(component.Config(projection=8, hidden=8, dropout=0.2), encoder())


def run(out, retriever=None, **options):
    retriever = retriever or model()
    return retriever, train(
        retriever,
        triplets(),
        task_of(triplets()),
        dataclasses.replace(QUICK, **options),
        encoder(),
        out,
        made_by=MADE_BY,
    )


ALL = {
    "ema": 0.9, "sampling": "balanced", "hard_negatives": 2, "chunk_size": 3, "log_every": 1,
    "optimizer": "bertadam", "schedule": "bertadam", "precision": "bf16",
}  # fmt: skip


@pytest.mark.parametrize("options", [ALL, {"ema": 0.5, "sampling": "target", "hard_negatives": 1, "batch_size": 4}])
def test_a_resume_with_every_option_ends_with_the_very_same_weights(tmp_path, options):
    whole, report = run(tmp_path / "whole", **options)

    class Killed(Exception):
        pass

    broken = model()
    step, seen = broken.training_step, []
    per_epoch = 3 * 3 * 2 if "chunk_size" in options else 2

    def dies_in_the_second_epoch(batch):
        seen.append(1)
        if len(seen) == per_epoch + 2:
            raise Killed
        return step(batch)

    broken.training_step = dies_in_the_second_epoch
    with pytest.raises(Killed):
        run(tmp_path / "killed", broken, **options)
    assert (tmp_path / "killed/training/resume.pt").exists()
    resumed, again = run(tmp_path / "killed", **options)
    first, second = weights(whole), weights(resumed)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [row["loss"] for row in again.history] == [row["loss"] for row in report.history]
    if "log_every" in options:
        logs = [tmp_path / name / "training/training-steps.csv" for name in ("whole", "killed")]
        assert logs[0].read_text() == logs[1].read_text()


@pytest.mark.parametrize(
    "options",
    [{"ema": 0.9}, {"sampling": "target"}, {"hard_negatives": 2}, {"optimizer": "bertadam"}, {"decay": "all"}],
)
def test_an_option_changes_the_losses_or_the_weights(tmp_path, options):
    plain, before = run(tmp_path / "plain")
    other, after = run(tmp_path / "other", **options)
    first, second = weights(plain), weights(other)
    losses = [[row["loss"] for row in report.history] for report in (before, after)]
    assert losses[0] != losses[1] or any(not torch.equal(first[name], second[name]) for name in first)


def test_chunks_train_as_whole_batches_do(tmp_path):
    component = MODELS.get("combiner")
    found = []
    for name, size in (("whole", 0), ("chunks", 3)):
        retriever = component.load(component.Config(projection=8, hidden=8, dropout=0.0), encoder())
        run(tmp_path / name, retriever, chunk_size=size)
        found.append(weights(retriever))
    for name, expected in found[0].items():
        assert_close(found[1][name], expected, rtol=1e-3, atol=1e-5)


def test_steps_are_logged(tmp_path):
    run(tmp_path, log_every=2)
    with (tmp_path / "training/training-steps.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4", "6", "8"]
    assert {"loss", "lr"} <= rows[0].keys()


def test_the_moving_average_is_what_the_formula_says():
    module = nn.Linear(2, 1, bias=False)
    nn.init.constant_(module.weight, 1.0)
    average = MovingAverage(module, decay=0.25)
    expected = 1.0
    for update, value in enumerate((3.0, 5.0, 2.0), start=1):
        nn.init.constant_(module.weight, value)
        average.update()
        decay = min(0.25, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * value
    with average.in_place():
        assert_close(module.weight.detach(), torch.full((1, 2), expected))
    assert module.weight.tolist() == [[2.0, 2.0]]


def test_frozen_parts_stay_in_eval_mode_while_training():
    module = nn.ModuleDict(
        {"frozen": nn.Sequential(nn.Linear(2, 2), nn.Dropout()), "head": nn.Sequential(nn.Linear(2, 2), nn.Dropout())}
    )
    module["frozen"].requires_grad_(False)
    training_mode(module)
    assert not any(part.training for part in module["frozen"].modules())
    assert all(part.training for part in module["head"].modules())


class Parts(nn.Module):
    def __init__(self):
        super().__init__()
        self.clip, self.head = nn.Linear(2, 2), nn.Linear(2, 2)


def test_the_pretrained_part_has_a_share_of_the_learning_rate():
    module = Parts()
    optimizer = make_optimizer(module, TrainConfig(coef_lr=0.01, weight_decay=0.1))
    set_lr(optimizer, 2.0)
    found = {
        id(each): (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for each in group["params"]
    }
    assert found[id(module.clip.weight)] == (0.02, 0.1)
    assert found[id(module.clip.bias)] == (0.02, 0.0)
    assert found[id(module.head.weight)] == (2.0, 0.1)
    assert found[id(module.head.bias)] == (2.0, 0.0)
    with pytest.raises(
        CvrError, match=r"begins with 'blip\.'; set -t pretrained=PREFIX to the start of some: clip, head"
    ):
        make_optimizer(module, TrainConfig(coef_lr=0.01, pretrained="blip."))


def test_bert_adam_steps_as_its_formula_says():
    """One parameter, two steps, worked out in float64 by hand."""
    weight = nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
    optimizer = BertAdam([weight], lr=0.1, weight_decay=0.2)
    expected = weight.detach().clone()
    mean, squares = torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for gradient in (torch.tensor([0.3, 0.4], dtype=torch.float64), torch.tensor([6.0, 8.0], dtype=torch.float64)):
        weight.grad = gradient.clone()
        optimizer.step()
        clipped = gradient * min(1.0, 1.0 / (float(gradient.norm()) + 1e-6))
        mean, squares = 0.9 * mean + 0.1 * clipped, 0.98 * squares + 0.02 * clipped**2
        expected = expected - 0.1 * (mean / (squares.sqrt() + 1e-6) + 0.2 * expected)
        assert_close(weight.detach(), expected)


def test_the_schedule_of_bert_adam_falls_from_its_place_on_the_whole_cosine():
    shares = [lr_share(step, 100, "bertadam", 0.1) for step in range(100)]
    assert shares[0] == 0.0
    assert shares[9] == pytest.approx(0.9)
    assert shares[10] == pytest.approx(0.97553, abs=1e-5)


def test_the_schedule_of_epochs_holds_within_one(tmp_path):
    run(tmp_path, schedule="epoch-cosine", warmup=0.0, log_every=1)
    with (tmp_path / "training/training-steps.csv").open(newline="") as file:
        rates = [float(row["lr"]) for row in csv.DictReader(file)]
    assert rates == pytest.approx([2e-3] * 3 + [1.5e-3] * 3 + [0.5e-3] * 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk_size": 1}, "chunk_size must be 0 or at least 2"),
        ({"ema": 1.0}, r"ema must be in \[0, 1\), got 1.0"),
        ({"loggers": "tensorboard,csv"}, "loggers are tensorboard and wandb"),
    ],
)
def test_wrong_options_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**options)

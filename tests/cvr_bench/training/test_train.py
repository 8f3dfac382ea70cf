"""The trainer: it learns, resumes to the same weights, keeps the best checkpoint, stops, and refuses what is wrong."""

import csv
import dataclasses
import functools

import pytest
import torch

from cvr_bench.models import MODELS
from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.models.parts.trained import load_model_checkpoint
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.metrics import mean_recall, recall
from cvr_bench.tasks.task import Item, Query, Task
from cvr_bench.training.optimizers import lr_share, make_optimizer
from cvr_bench.training.train import MadeBy, TrainConfig, _accelerator, train
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import TextFeatures, VideoFeatures, pad_features
from cvr_data.media.video import Video

pytestmark = pytest.mark.slow

COLOURS = ("red", "blue", "green", "black")
QUICK = TrainConfig(epochs=3, batch_size=16, patience=0)
MADE_BY = MadeBy(model="combiner", options={}, source="", features={})


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Remembering:
    """The hash encoder, asked once for each video and text."""

    name, runs_on, dim, text_dim = "remembering", "cpu float32", 16, 16

    def __init__(self):
        module = ENCODERS.get("hash")
        inner = module.load(module.Config(dim=self.dim, frames=2))
        self.video = functools.cache(lambda video: inner.encode_videos([video]).frames_BTD[0])
        self.text = functools.cache(lambda text: inner.encode_texts([text]))

    def encode_videos(self, videos):
        return VideoFeatures(*pad_features([self.video(video) for video in videos]))

    def encode_texts(self, texts):
        found = [self.text(text) for text in texts]
        tokens, mask = pad_features([features.tokens_BLD[0] for features in found])
        return TextFeatures.of(tokens, mask, torch.cat([features.pooled_BD for features in found]))


@functools.cache
def encoder():
    return Remembering()


def training_set(videos=12):
    """Every video with every colour; the target depends on both."""
    rows = [(video, colour) for video in range(videos) for colour in range(len(COLOURS))]
    targets = [f"t{(video + 3 * colour) % videos}" for video, colour in rows]
    return TrainingSet(
        reference_ids=[f"v{video}" for video, _ in rows],
        modifications=[f"make it {COLOURS[colour]} instead of white" for _, colour in rows],
        target_ids=targets,
        target_group_ids=targets,
    )


def task_of(triplets):
    rows = list(zip(triplets.reference_ids, triplets.modifications, triplets.target_ids, strict=True))
    return Task(
        name="colours",
        queries=[Query(f"q{row}", Item(video, Video(video)), text) for row, (video, text, _) in enumerate(rows)],
        gallery=[Item(name, Video(name)) for name in sorted(set(triplets.target_ids))],
        targets={f"q{row}": frozenset({target}) for row, (_, _, target) in enumerate(rows)},
    )


def model(name="combiner", **options):
    component = MODELS.get(name)
    return component.load(component.Config(**options), encoder())


def run(out, config=QUICK, retriever=None, triplets=None, validate=True):
    retriever = retriever or model(projection=16, hidden=16, dropout=0.1)
    triplets = triplets or training_set()
    task = task_of(triplets) if validate else None
    return retriever, train(retriever, triplets, task, config, encoder(), out, made_by=MADE_BY)


def weights(retriever):
    return {name: tensor.clone() for name, tensor in retriever.module.state_dict().items()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("name", "options", "wanted"),
    [
        ("combiner", {"projection": 32, "hidden": 32, "dropout": 0.0}, 30),
        pytest.param("fdca", {"width": 32, "dropout": 0.0, "fusion_dropout": 0.0}, 60, marks=pytest.mark.slow),
        pytest.param("fdca", {"mode": "faithful", "depth": 1, "dropout": 0.0}, 30, marks=pytest.mark.slow),
        pytest.param("composer", {"dropout": 0.0, "fusion_dropout": 0.0}, 60, marks=pytest.mark.slow),
    ],
)
def test_a_model_learns_triplets_by_heart(tmp_path, name, options, wanted):
    retriever = model(name, **options)
    task = task_of(training_set())
    before = recall(evaluate(retriever, task).rank, 1)
    config = TrainConfig(epochs=100, batch_size=16, lr=3e-3, patience=0, validate_every=100)
    _, report = run(tmp_path, config, retriever)
    assert report.history[-1]["loss"] < report.history[0]["loss"]
    assert recall(evaluate(retriever, task).rank, 1) > max(wanted, before)  # chance is 9


def test_a_resumed_training_ends_with_the_very_same_weights(tmp_path):
    whole, report = run(tmp_path / "whole")

    class Killed(Exception):
        pass

    broken = model(projection=16, hidden=16, dropout=0.1)
    step, seen = broken.training_step, []

    def dies_in_the_second_epoch(batch):
        seen.append(1)
        if len(seen) == 5:
            raise Killed
        return step(batch)

    broken.training_step = dies_in_the_second_epoch
    with pytest.raises(Killed):
        run(tmp_path / "killed", retriever=broken)
    assert (tmp_path / "killed/training/resume.pt").exists()
    (tmp_path / "killed/training/.resume.pt.0123456789ab.tmp").touch()  # of a kill while it was written
    resumed, again = run(tmp_path / "killed")
    assert_same(weights(whole), weights(resumed))
    assert [row["loss"] for row in again.history] == [row["loss"] for row in report.history]
    assert {path.name for path in (tmp_path / "killed/training").iterdir()} == {
        path.name for path in (tmp_path / "whole/training").iterdir()
    }


def test_the_state_to_resume_from_loads_without_running_code(tmp_path):
    broken = model(projection=16, hidden=16)
    step, seen = broken.training_step, []

    def dies(batch):
        seen.append(1)
        return step(batch) if len(seen) < 5 else step(None)

    broken.training_step = dies
    with pytest.raises(Exception, match="dataclass"):
        run(tmp_path, retriever=broken)
    state = torch.load(tmp_path / "training/resume.pt", weights_only=True)
    assert {"module", "optimizer", "order", "random", "history"} <= state.keys()


def test_the_same_seed_trains_the_same_and_leaves_the_shared_generator_alone(tmp_path):
    before = torch.get_rng_state()
    first, _ = run(tmp_path / "a")
    torch.rand(7)
    second, _ = run(tmp_path / "b")
    other, _ = run(tmp_path / "c", dataclasses.replace(QUICK, seed=1))
    assert_same(weights(first), weights(second))
    assert not torch.equal(weights(first)["output_layer.weight"], weights(other)["output_layer.weight"])
    assert not torch.equal(torch.get_rng_state(), before)  # the draw between, and nothing else
    torch.set_rng_state(before)
    torch.rand(7)


def test_a_finished_training_is_loaded_not_repeated(tmp_path):
    first, report = run(tmp_path)

    def must_not_train(batch):
        raise AssertionError("trained again")

    again = model(projection=16, hidden=16, dropout=0.1)
    again.training_step = must_not_train
    _, found = run(tmp_path, retriever=again)
    assert found == report
    assert_same(weights(first), weights(again))


def test_another_training_in_the_folder_is_refused(tmp_path):
    run(tmp_path)
    with pytest.raises(CvrError, match="holds a training with other options or data"):
        run(tmp_path, dataclasses.replace(QUICK, lr=0.5))
    with pytest.raises(CvrError, match="holds a training with other options or data"):
        run(tmp_path, retriever=model(projection=16, hidden=16, dropout=0.1, seed=9))


def test_the_best_epoch_on_validation_is_kept(tmp_path):
    """From the tenth epoch on the model unlearns, so the best one is not the last."""
    triplets, steps = training_set(), []
    retriever = model(projection=16, hidden=16, dropout=0.0)
    learn = retriever.training_step

    def learns_then_unlearns(batch):
        steps.append(1)
        return {"loss": learn(batch)["loss"] * (1 if len(steps) <= 27 else -1)}

    retriever.training_step = learns_then_unlearns
    config = TrainConfig(epochs=20, batch_size=16, lr=1e-2, schedule="constant", patience=0)
    _, report = run(tmp_path, config, retriever, triplets)
    means = [row["mean"] for row in report.history]
    assert report.best == max(means) > means[-1]
    assert report.best_epoch == means.index(max(means)) + 1
    task = task_of(triplets)
    assert mean_recall(evaluate(retriever, task).rank, task.ks) == report.best


def test_training_stops_when_validation_stops_getting_better(tmp_path):
    config = TrainConfig(epochs=50, batch_size=16, lr=1e-12, patience=2)
    _, report = run(tmp_path, config)
    assert report.stopped_early
    assert (report.epochs, report.best_epoch) == (3, 1)


def test_without_a_validation_task_the_last_weights_are_kept(tmp_path):
    _, report = run(tmp_path, validate=False)
    assert (report.epochs, report.best_epoch, report.best) == (3, 3, None)


def test_validation_may_be_rarer_and_always_ends_training(tmp_path):
    _, report = run(tmp_path, dataclasses.replace(QUICK, epochs=5, validate_every=2))
    assert [("mean" in row) for row in report.history] == [False, True, False, True, True]
    assert report.best_epoch in (2, 4, 5)


def test_the_log_has_a_row_per_epoch(tmp_path):
    _, report = run(tmp_path, retriever=model("fdca", width=8, heads=2))
    with (tmp_path / "training/training.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {"loss", "loss_query", "loss_triplet", "lr", "seconds", "triplets_per_s", "R@1", "mean"} <= rows[0].keys()
    assert float(rows[1]["loss"]) == pytest.approx(report.history[1]["loss"], rel=1e-4)


def test_a_checkpoint_gives_the_trained_scores(tmp_path):
    retriever, _ = run(tmp_path)
    task = task_of(training_set())
    expected = evaluate(retriever, task).rank.tolist()
    for path in (tmp_path, tmp_path / "training", tmp_path / "training/model.safetensors"):
        fresh = model(projection=16, hidden=16, seed=4)
        load_model_checkpoint(fresh, path, encoder())
        assert evaluate(fresh, task).rank.tolist() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no checkpoint at"),
        (b"rubbish", "Cannot read the checkpoint"),
        ({"model": {"other.weight": torch.zeros(2)}}, "it lacks combiner_layer.bias"),
        ({"epoch": 1}, "holds no weights"),
    ],
)
def test_a_wrong_checkpoint_is_one_line(tmp_path, content, message):
    path = tmp_path / "weights.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(CvrError, match=message) as caught:
        load_model_checkpoint(model(projection=4, hidden=4), path, encoder())
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_another_width_is_one_line(tmp_path):
    run(tmp_path)
    with pytest.raises(CvrError, match=r"shape \(16, 16\), the model \(4, 16\)"):
        load_model_checkpoint(model(projection=4, hidden=4), tmp_path, encoder())


def test_a_model_without_parameters_has_no_checkpoint(tmp_path):
    with pytest.raises(CvrError, match="has nothing to load"):
        load_model_checkpoint(model("sum"), tmp_path, encoder())


def test_a_loss_that_is_not_finite_stops_with_one_line(tmp_path):
    retriever = model(projection=16, hidden=16)
    with torch.no_grad():
        retriever.module.output_layer.bias.fill_(torch.nan)
    with pytest.raises(CvrError, match="The loss is not finite in epoch 1; lower lr"):
        run(tmp_path, retriever=retriever)


def test_auto_trains_in_float32_on_a_cpu_that_has_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert _accelerator(TrainConfig()).mixed_precision == "no"
    assert _accelerator(TrainConfig(precision="bf16")).mixed_precision == "bf16"


@pytest.mark.slow
def test_mixed_precision_trains_on_a_cpu_too(tmp_path):
    for precision in ("bf16", "no"):
        config = dataclasses.replace(QUICK, epochs=20, validate_every=20, precision=precision)
        _, report = run(tmp_path / precision, config, model(projection=16, hidden=16, dropout=0.0))
        assert report.precision == precision
        assert report.history[-1]["loss"] < report.history[0]["loss"]


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_only_matrices_decay(optimizer):
    module = model(projection=4, hidden=4).module
    made = make_optimizer(module, TrainConfig(optimizer=optimizer, weight_decay=0.1))
    decayed = {parameter.ndim for group in made.param_groups if group["weight_decay"] for parameter in group["params"]}
    assert decayed == ({2} if optimizer == "adamw" else set())
    assert sum(len(group["params"]) for group in made.param_groups) == len(list(module.parameters()))


def test_the_learning_rate_rises_then_falls():
    shares = [lr_share(step, 100, "cosine", 0.1) for step in range(100)]
    assert shares[:2] == [0.1, 0.2]
    assert max(shares) == shares[9] == shares[10] == 1.0
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert shares[-1] < 0.01
    assert lr_share(55, 100, "linear", 0.1) == pytest.approx(0.5)
    assert lr_share(99, 100, "constant", 0.0) == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch_size": 1}, "at least 2"),
        ({"lr": 0.0}, "lr must be above 0"),
    ],
)
def test_wrong_options_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**options)

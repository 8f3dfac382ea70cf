"""The one trainer: Adam or AdamW on accelerate, a checkpoint chosen on validation, and a resume that changes nothing.

    report = train(retriever, training_set, validation_task, TrainConfig(epochs=10), encoder, out, made_by=made_by)

`out`/training/ holds `model.safetensors` (the best weights), `training.csv` (a row per epoch), `training.json` (the
report) and, until training ends, `resume.pt`: a run that was killed goes on at the epoch it was in, and on a CPU ends
with the very same weights as one that was not.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.models.parts.device import model_random_generators, network_device
from cvr_bench.models.parts.processes import (
    broadcast_network_weights,
    first_model_process_value,
    is_first_model_process,
    model_process_count,
    model_process_number,
    wait_for_model_processes,
)
from cvr_bench.models.parts.retriever import TrainableRetriever
from cvr_bench.models.parts.weights import TRAINING, WEIGHTS, load_model_weights
from cvr_bench.tasks.task import Task
from cvr_bench.training.config import TrainConfig
from cvr_bench.training.key import MadeBy, training_key
from cvr_bench.training.loop import TrainingLoop
from cvr_bench.training.optimizers import make_optimizer
from cvr_bench.training.state import RESUME, MovingAverage, TrainingState, another_training
from cvr_bench.training.step_log import LogRow
from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifact_files import remove_temporary
from cvr_data.core.device import torch_device_of as device_named
from cvr_data.core.device import torch_precision_of
from cvr_data.core.reading import reading
from cvr_data.core.whole_files import write_bytes
from cvr_data.features.protocol import Encoder

REPORT = "training.json"

__all__ = ["MadeBy", "TrainConfig", "TrainReport", "train"]


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """What training did."""

    epochs: int
    """How many were run."""
    best_epoch: int
    """Counted from 1; the weights are of its end."""
    best: float | None
    """Mean recall on validation of that epoch, percent; None without a validation task."""
    stopped_early: bool
    seconds: float
    """Of all steps; validation is not counted."""
    triplets_per_s: float
    device: str
    precision: str
    """What steps were run in: no is float32."""
    devices: int = 1
    """Processes that shared each batch, a device each."""
    history: list[LogRow] = field(default_factory=list)
    """The rows of the log."""


def train(
    retriever: TrainableRetriever, training_set: TrainingSet, validation_task: Task | None, config: TrainConfig,
    encoder: Encoder, out: Path, *, made_by: MadeBy,
) -> TrainReport:  # fmt: skip
    """Train the model and leave it with the weights that were best on validation (without one: the last).

    A training that already ended in `out` with the same key (`cvr_bench.training.key`) is loaded instead; `made_by` is
    what the key cannot tell from the network and the data.

    Raises:
        CvrError: `out` holds another training, or the loss is not finite.
    """
    folder = out / TRAINING
    if is_first_model_process():
        folder.mkdir(parents=True, exist_ok=True)
    key = training_key(made_by, retriever.module, training_set, validation_task, config)
    if first_model_process_value((folder / REPORT).exists()):
        report = _finished_training(folder, key)
        if is_first_model_process():
            _remove_leftovers(folder)  # of a run that was killed after it wrote the report
        load_model_weights(retriever.module, folder / WEIGHTS)
        return report
    accelerator = _accelerator(config)
    module = retriever.module.to(accelerator.device)
    broadcast_network_weights(module)
    optimizer = accelerator.prepare(make_optimizer(module, config))
    with model_random_generators(config.seed + model_process_number()):  # each device has dropout of its own
        generator = torch.Generator().manual_seed(config.seed)
        average = MovingAverage(module, config.ema) if config.ema else None
        state = TrainingState(module, optimizer, generator, accelerator.scaler, average)
        if first_model_process_value((folder / RESUME).exists()):
            state.load(folder / RESUME, key)
        loop = TrainingLoop(retriever, training_set, validation_task, config, encoder, accelerator, state)
        loop.run(folder, key)
    report = _training_report(loop, str(accelerator.mixed_precision))
    if is_first_model_process():
        content = {"key": key, "report": dataclasses.asdict(report)}
        write_bytes(folder / REPORT, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())
        _remove_leftovers(folder)
    wait_for_model_processes()
    load_model_weights(retriever.module, folder / WEIGHTS)
    return report


def _remove_leftovers(folder: Path) -> None:
    """Remove what only a run that goes on needs, and what a killed one did not get to rename."""
    (folder / RESUME).unlink(missing_ok=True)
    remove_temporary(folder, ())


def _accelerator(config: TrainConfig) -> Accelerator:
    """An accelerator of the wanted precision; accelerate itself keeps the first one of a process for all."""
    device = device_named("auto")
    # On a CPU these models are too small to gain from another type.
    name = "no" if config.precision == "auto" and device.type == "cpu" else config.precision
    AcceleratorState._reset_state()
    return Accelerator(mixed_precision=torch_precision_of(name, device))


def _training_report(loop: TrainingLoop, precision: str) -> TrainReport:
    history = loop.state.history
    seconds = sum(row["seconds"] for row in history)
    return TrainReport(
        epochs=len(history),
        best_epoch=loop.best_epoch,
        best=history[loop.best_epoch - 1].get("mean"),
        stopped_early=len(history) < loop.config.epochs,
        seconds=seconds,
        triplets_per_s=sum(row["seconds"] * row["triplets_per_s"] for row in history) / max(seconds, 1e-9),
        device=str(network_device(loop.retriever.module)),
        precision=precision,
        devices=model_process_count(),
        history=history,
    )


def _finished_training(folder: Path, key: str) -> TrainReport:
    content = read_json(folder / REPORT, dict)
    if content.get("key") != key:
        raise another_training(folder)
    with reading(folder / REPORT, "the report of a training; remove the folder"):
        return TrainReport(**content["report"])

"""Epochs, steps and validations of a training.

A batch is learned from whole, or in chunks whose activations are in memory one after another. In chunks, each runs
twice: first without gradients for its embeddings, then, with the embeddings of all others at hand, for its share of the
gradient. What is held at once is one chunk's activations and the embeddings of the whole batch. Batch norms see a chunk
at a time.

Source: gradient caching, Gao et al. 2021 (https://arxiv.org/abs/2101.06983). Differs in what is kept between the two
runs: embeddings instead of their gradients, so a loss may have parameters of its own; it is worked out once per chunk.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cvr_bench.models.parts.batches import TrainingSet, TripletBatch
from cvr_bench.models.parts.joining import (
    OverProcesses,
    Recorded,
    Replayed,
    Whole,
    check_model_joined,
    merge_model_parts,
)
from cvr_bench.models.parts.processes import (
    average_network_gradients,
    is_first_model_process,
    model_is_spread,
    model_process_count,
    model_process_number,
)
from cvr_bench.models.parts.retriever import DecodesClips, TrainableRetriever
from cvr_bench.models.parts.weights import WEIGHTS, write_network_weights
from cvr_bench.scoring.blocks import scoring_in_few_threads
from cvr_bench.scoring.metrics import mean_recall, recall
from cvr_bench.scoring.spread import evaluate_spread
from cvr_bench.tasks.task import Task
from cvr_bench.training.config import TrainConfig
from cvr_bench.training.optimizers import lr_share, set_lr
from cvr_bench.training.sampling import Sampler, sample_training_hard_negatives
from cvr_bench.training.state import RESUME, TrainingState
from cvr_bench.training.step_log import LOG, LogRow, StepLog, write_training_log
from cvr_data.core.errors import CvrError
from cvr_data.core.progress import Progress
from cvr_data.features.protocol import Encoder


@dataclass
class TrainingLoop:
    """The loop; it goes on from wherever its state stands."""

    retriever: TrainableRetriever
    training_set: TrainingSet
    validation_task: Task | None
    config: TrainConfig
    encoder: Encoder
    accelerator: Accelerator
    state: TrainingState

    def __post_init__(self) -> None:
        self.sampler = Sampler(self.training_set, self.config)

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 1, with the highest mean recall on validation; without validation the last one."""
        validated = [row for row in self.state.history if "mean" in row]
        if not validated:
            return len(self.state.history)
        return int(max(validated, key=lambda row: row["mean"])["epoch"])  # the first of equal ones

    def run(self, folder: Path, key: str) -> None:
        """Train to the end, writing the best weights, the log and the state to `folder` after every epoch."""
        done, steps = len(self.state.history), self.sampler.steps
        log = StepLog(folder, self.config, done=done * steps, steps_per_epoch=steps)
        with log, Progress("train", self.config.epochs * self.sampler.used, "triplets") as progress:
            progress.skip(done * self.sampler.used)
            for epoch in range(done + 1, self.config.epochs + 1):
                worse = [row for row in self.state.history[self.best_epoch :] if "mean" in row]
                if 0 < self.config.patience <= len(worse):
                    break
                with scoring_in_few_threads(self.retriever.module):
                    trained = self._run_epoch(epoch, progress, log)
                with self.state.average.in_place() if self.state.average else nullcontext():
                    self.state.history.append({**trained, **self._validate(epoch)})
                    if self.best_epoch == epoch and is_first_model_process():
                        write_network_weights(self.retriever.module, folder / WEIGHTS)
                log.epoch(self.state.history[-1])
                if is_first_model_process():
                    write_training_log(folder / LOG, self.state.history)
                self.state.save(folder / RESUME, key)

    def _run_epoch(self, epoch: int, progress: Progress, log: StepLog) -> LogRow:
        started = time.monotonic()
        steps = self.sampler.steps
        rows = self.sampler.rows(self.state.generator, self.state.hard_rows)
        training_mode(self.retriever.module)
        validated = [row["R@1"] for row in self.state.history if "R@1" in row]
        recalled = f", val R@1 {validated[-1]:.1f}" if validated else ""
        totals: dict[str, Tensor] = {}
        seen, lr = 0, 0.0
        first = (epoch - 1) * steps
        batches = self._batches(rows)
        reader = self.retriever.clip_reader if isinstance(self.retriever, DecodesClips) else None
        for step, chunks in enumerate(reader.ahead(batches, first) if reader else batches, start=first):
            lr = self.config.lr * self._lr_share(step)
            losses = self._training_step(chunks, lr)
            for name, value in losses.items():
                totals[name] = totals[name] + value if name in totals else value
            count = sum(len(chunk.target_ids) for chunk in chunks) * model_process_count()
            seen += count
            log.step(step, {**{_loss_column(name): value for name, value in losses.items()}, "lr": lr})
            progress.advance(count, f"epoch {epoch}, loss {float(losses['loss']):.3f}{recalled}")
        seconds = time.monotonic() - started
        means = {_loss_column(name): float(total) / steps for name, total in totals.items()}
        if not all(math.isfinite(value) for value in means.values()):
            raise CvrError(f"The loss is not finite in epoch {epoch}; lower lr (now {self.config.lr}) or clip_norm.")
        return {"epoch": epoch, **means, "lr": lr, "seconds": seconds, "triplets_per_s": seen / max(seconds, 1e-9)}

    def _lr_share(self, step: int) -> float:
        steps, schedule = self.sampler.steps, self.config.schedule
        at = step // steps * steps if schedule == "epoch-cosine" else step
        return lr_share(at, self.config.epochs * steps, schedule, self.config.warmup)

    def _batches(self, rows: Sequence[int]) -> Iterator[list[TripletBatch]]:
        """The chunks of each batch; of several devices, those of this one."""
        for batch_rows in self.sampler.batches(rows):
            yield [self.training_set.batch(chunk, self.encoder) for chunk in self._chunks(batch_rows)]

    def _chunks(self, rows: Sequence[int]) -> list[Sequence[int]]:
        """The rows of this process, in parts as equal as can be.

        Raises:
            CvrError: the batch does not share out among the processes.
        """
        share, left = divmod(len(rows), model_process_count())
        if left:
            raise CvrError(
                f"A batch of {len(rows)} triplets does not share out among {model_process_count()} devices; choose "
                "-t batch_size=N, a multiple of the devices and no more than the triplets."
            )
        own = rows[share * model_process_number() : share * (model_process_number() + 1)]
        if len(own) < 2 and any(isinstance(part, _BatchNorm) for part in self.retriever.module.modules()):
            raise CvrError("This model has batch norms, which need 2 triplets on a device; raise -t batch_size.")
        count = -(-len(own) // self.config.chunk_size) if self.config.chunk_size else 1
        count = max(1, min(count, len(own) // 2))  # a chunk of one has no negatives, and breaks batch norms
        ends = [len(own) * part // count for part in range(count + 1)]
        return [own[first:last] for first, last in pairwise(ends)]

    def _training_step(self, chunks: Sequence[TripletBatch], lr: float) -> dict[str, Tensor]:
        optimizer, module = self.state.optimizer, self.retriever.module
        set_lr(optimizer, lr)
        optimizer.zero_grad()
        losses = training_backward(self.accelerator, self.retriever.training_step, chunks)
        average_network_gradients(module)
        if self.config.clip_norm:
            self.accelerator.clip_grad_norm_(module.parameters(), self.config.clip_norm)
        optimizer.step()
        if self.state.average is not None:
            self.state.average.update()
        return losses

    def _validate(self, epoch: int) -> LogRow:
        if epoch % self.config.validate_every and epoch != self.config.epochs:
            return {}
        if self.config.hard_negatives:
            self.state.hard_rows = sample_training_hard_negatives(
                self.retriever, self.training_set, self.config.hard_negatives
            )
        task = self.validation_task
        if task is None:
            return {}
        ranks = evaluate_spread(self.retriever, task).rank
        return {"mean": mean_recall(ranks, task.ks), **{f"R@{k}": recall(ranks, k) for k in task.ks}}


TrainingStep = Callable[[TripletBatch], Mapping[str, Tensor]]


def training_backward(
    accelerator: Accelerator, training_step: TrainingStep, chunks: Sequence[TripletBatch]
) -> dict[str, Tensor]:
    """Add the gradients of a batch to its parameters, and return its losses.

    On several processes they are still to be averaged over these.

    Raises:
        CvrError: the model cannot learn from a batch that is not whole.
    """
    if len(chunks) > 1:
        return _in_chunks(accelerator, training_step, chunks)
    if not model_is_spread():
        return _training_step(accelerator, training_step, replace(chunks[0], joining=Whole()), 1)
    joining = OverProcesses()
    losses = _training_step(accelerator, training_step, replace(chunks[0], joining=joining), 1)
    check_model_joined(joining.asked)
    return losses


def _in_chunks(
    accelerator: Accelerator, training_step: TrainingStep, chunks: Sequence[TripletBatch]
) -> dict[str, Tensor]:
    records, states = [Recorded() for _ in chunks], []
    with torch.no_grad(), accelerator.autocast():
        for chunk, record in zip(chunks, records, strict=True):
            states.append((torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []))
            training_step(replace(chunk, joining=record))
    whole = merge_model_parts(records)
    start = sum(len(chunk.target_ids) for chunk in chunks) * model_process_number()
    parts = len(chunks) * model_process_count()
    for chunk, (random, random_gpus) in zip(chunks, states, strict=True):
        torch.set_rng_state(random)
        if random_gpus:
            torch.cuda.set_rng_state_all(random_gpus)
        joining = Replayed(whole, start, parts)
        losses = _training_step(accelerator, training_step, replace(chunk, joining=joining), len(chunks))
        start += len(chunk.target_ids)
    return losses


def _training_step(
    accelerator: Accelerator, training_step: TrainingStep, batch: TripletBatch, parts: int
) -> dict[str, Tensor]:
    with accelerator.autocast():
        losses = training_step(batch)
    accelerator.backward(losses["loss"] / parts if parts > 1 else losses["loss"])
    return {name: value.detach() for name, value in losses.items()}


def training_mode(module: nn.Module) -> None:
    """Put a module in training mode, but for the parts of it that are frozen: no dropout, no running means there."""
    module.train()
    for part in module.modules():
        parameters = list(part.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            part.eval()


def _loss_column(loss: str) -> str:
    return loss if loss == "loss" else f"loss_{loss}"

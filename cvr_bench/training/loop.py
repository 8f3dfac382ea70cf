"""Epochs, steps and validations of a training."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from accelerate import Accelerator
from torch import Tensor, nn

from cvr_bench.models.parts.batches import TrainingSet, TripletBatch
from cvr_bench.models.parts.processes import average_gradients, is_first, process_count, process_number
from cvr_bench.models.parts.retriever import DecodesClips, TrainableRetriever
from cvr_bench.models.parts.weights import WEIGHTS, save_weights
from cvr_bench.scoring.evaluate import few_threads
from cvr_bench.scoring.metrics import mean_recall, recall
from cvr_bench.scoring.spread import evaluate_spread
from cvr_bench.tasks.task import Task
from cvr_bench.training.backward import backward
from cvr_bench.training.config import TrainConfig
from cvr_bench.training.hard_negatives import mine_hard_rows
from cvr_bench.training.optimizers import lr_share, set_lr
from cvr_bench.training.sampling import Sampler
from cvr_bench.training.state import RESUME, TrainingState
from cvr_bench.training.step_log import LOG, Row, StepLog, write_log
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
        with log, Progress("train", self.config.epochs * self.sampler.size, "triplets") as progress:
            progress.skip(done * self.sampler.size)
            for epoch in range(done + 1, self.config.epochs + 1):
                if self._should_stop():
                    break
                with few_threads(self.retriever.module):
                    trained = self._run_epoch(epoch, progress, log)
                with self.state.average.in_place() if self.state.average else nullcontext():
                    self.state.history.append({**trained, **self._validate(epoch)})
                    if self.best_epoch == epoch and is_first():
                        save_weights(self.retriever.module, folder / WEIGHTS)
                log.epoch(self.state.history[-1])
                if is_first():
                    write_log(folder / LOG, self.state.history)
                self.state.save(folder / RESUME, key)

    def _run_epoch(self, epoch: int, progress: Progress, log: StepLog) -> Row:
        started = time.monotonic()
        steps = self.sampler.steps
        rows = self.sampler.rows(self.state.generator, self.state.hard_rows)
        set_training(self.retriever.module)
        totals: dict[str, Tensor] = {}
        seen, lr = 0, 0.0
        first = (epoch - 1) * steps
        batches = self._batches(rows)
        reader = self.retriever.clip_reader if isinstance(self.retriever, DecodesClips) else None
        for step, chunks in enumerate(reader.ahead(batches, first) if reader else batches, start=first):
            lr = self.config.lr * self._lr_share(step)
            losses = self._step(chunks, lr)
            for name, value in losses.items():
                totals[name] = totals[name] + value if name in totals else value
            count = sum(len(chunk.target_ids) for chunk in chunks) * process_count()
            seen += count
            log.step(step, {**{_column(name): value for name, value in losses.items()}, "lr": lr})
            progress.advance(count, self._note(epoch, losses["loss"]))
        seconds = time.monotonic() - started
        means = {_column(name): float(total) / steps for name, total in totals.items()}
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
        share, left = divmod(len(rows), process_count())
        if left:
            raise CvrError(
                f"A batch of {len(rows)} triplets does not share out among {process_count()} devices; choose "
                "-t batch_size=N, a multiple of the devices and no more than the triplets."
            )
        own = rows[share * process_number() : share * (process_number() + 1)]
        count = -(-len(own) // self.config.chunk_size) if self.config.chunk_size else 1
        ends = [len(own) * part // count for part in range(count + 1)]
        return [own[first:last] for first, last in pairwise(ends)]

    def _step(self, chunks: Sequence[TripletBatch], lr: float) -> dict[str, Tensor]:
        optimizer, module = self.state.optimizer, self.retriever.module
        set_lr(optimizer, lr)
        optimizer.zero_grad()
        losses = backward(self.accelerator, self.retriever.training_step, chunks)
        average_gradients(module)
        if self.config.clip_norm:
            self.accelerator.clip_grad_norm_(module.parameters(), self.config.clip_norm)
        optimizer.step()
        if self.state.average is not None:
            self.state.average.update()
        return losses

    def _validate(self, epoch: int) -> Row:
        if epoch % self.config.validate_every and epoch != self.config.epochs:
            return {}
        if self.config.hard_negatives:
            self.state.hard_rows = mine_hard_rows(self.retriever, self.training_set, self.config.hard_negatives)
        task = self.validation_task
        if task is None:
            return {}
        ranks = evaluate_spread(self.retriever, task).rank
        return {"mean": mean_recall(ranks, task.ks), **{f"R@{k}": recall(ranks, k) for k in task.ks}}

    def _should_stop(self) -> bool:
        later = [row for row in self.state.history[self.best_epoch :] if "mean" in row]
        return 0 < self.config.patience <= len(later)

    def _note(self, epoch: int, loss: Tensor) -> str:
        validated = [row["R@1"] for row in self.state.history if "R@1" in row]
        recalled = f", val R@1 {validated[-1]:.1f}" if validated else ""
        return f"epoch {epoch}, loss {float(loss):.3f}{recalled}"


def set_training(module: nn.Module) -> None:
    """Put a module in training mode, but for the parts of it that are frozen: no dropout, no running means there."""
    module.train()
    for part in module.modules():
        parameters = list(part.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            part.eval()


def _column(loss: str) -> str:
    return loss if loss == "loss" else f"loss_{loss}"

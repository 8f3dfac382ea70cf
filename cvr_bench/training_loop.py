"""Epochs, steps and validations of a training, and where it stands between two epochs."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from cvr_bench.checkpoints import WEIGHTS, save_weights
from cvr_bench.evaluate import evaluate
from cvr_bench.metrics import mean_recall, recall
from cvr_bench.optimizers import lr_share
from cvr_bench.retriever import TrainableRetriever
from cvr_bench.task import Task
from cvr_bench.train_config import TrainConfig
from cvr_bench.training_log import LOG, Row, write_log
from cvr_bench.training_set import TrainingSet, TripletBatch
from cvr_data.encoders._protocol import Encoder
from cvr_data.errors import CvrError
from cvr_data.progress import Progress

RESUME = "resume.pt"


@dataclass
class TrainingState:
    """All that the next epoch depends on."""

    module: nn.Module
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    """Of the order of triplets."""
    history: list[Row] = field(default_factory=list)
    """One row per finished epoch."""

    def save(self, path: Path, key: str) -> None:
        """Write the state, the generators of dropout included; the file appears whole."""
        content = {
            "key": key,
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.generator.get_state(),
            "random": torch.get_rng_state(),
            "random_gpu": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "history": self.history,
        }
        temporary = path.with_suffix(".partial")
        torch.save(content, temporary)
        temporary.replace(path)

    def load(self, path: Path, key: str) -> None:
        """Continue from a written state.

        Raises:
            CvrError: it is of a training with other options or data.
        """
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["key"] != key:
            raise CvrError(
                f"{path.parent} holds a training with other options or data; remove it or choose another --out."
            )
        self.module.load_state_dict(content["module"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.generator.set_state(content["order"])
        torch.set_rng_state(content["random"])
        if content["random_gpu"]:
            torch.cuda.set_rng_state_all(content["random_gpu"])
        self.history = content["history"]


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

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 1, with the highest mean recall on validation; without validation the last one."""
        validated = [row for row in self.state.history if "mean" in row]
        if not validated:
            return len(self.state.history)
        return int(max(validated, key=lambda row: row["mean"])["epoch"])  # the first of equal ones

    def run(self, folder: Path, key: str) -> None:
        """Train to the end, writing the best weights, the log and the state to `folder` after every epoch."""
        done = len(self.state.history)
        with Progress("train", self.config.epochs * len(self.training_set), "triplets") as progress:
            progress.done = done * len(self.training_set)
            for epoch in range(done + 1, self.config.epochs + 1):
                if self._should_stop():
                    break
                trained = self._run_epoch(epoch, progress)
                self.state.history.append({**trained, **self._validate(epoch)})
                if self.best_epoch == epoch:
                    save_weights(self.retriever.module, folder / WEIGHTS)
                write_log(folder / LOG, self.state.history)
                self.state.save(folder / RESUME, key)

    def _run_epoch(self, epoch: int, progress: Progress) -> Row:
        started = time.monotonic()
        steps = max(1, len(self.training_set) // self.config.batch_size)
        batches = self.training_set.batches(self.config.batch_size, self.state.generator, self.encoder, drop_last=True)
        self.retriever.module.train()
        totals: dict[str, Tensor] = {}
        seen, lr = 0, 0.0
        for step, batch in enumerate(batches, start=(epoch - 1) * steps):
            share = lr_share(step, self.config.epochs * steps, self.config.schedule, self.config.warmup)
            lr = share * self.config.lr
            losses = self._step(batch, lr)
            for name, value in losses.items():
                totals[name] = totals[name] + value if name in totals else value
            seen += len(batch.target_ids)
            progress.advance(len(batch.target_ids), self._note(epoch, losses["loss"]))
        seconds = time.monotonic() - started
        means = {_column(name): float(total) / steps for name, total in totals.items()}
        if not all(math.isfinite(value) for value in means.values()):
            raise CvrError(f"The loss is not finite in epoch {epoch}; lower lr (now {self.config.lr}) or clip_norm.")
        return {"epoch": epoch, **means, "lr": lr, "seconds": seconds, "triplets_per_s": seen / max(seconds, 1e-9)}

    def _step(self, batch: TripletBatch, lr: float) -> dict[str, Tensor]:
        optimizer = self.state.optimizer
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad()
        with self.accelerator.autocast():
            losses = self.retriever.training_step(batch)
        self.accelerator.backward(losses["loss"])
        if self.config.clip_norm:
            self.accelerator.clip_grad_norm_(self.retriever.module.parameters(), self.config.clip_norm)
        optimizer.step()
        return {name: value.detach() for name, value in losses.items()}

    def _validate(self, epoch: int) -> Row:
        task = self.validation_task
        if task is None or (epoch % self.config.validate_every and epoch != self.config.epochs):
            return {}
        ranks = evaluate(self.retriever, task).rank
        return {"mean": mean_recall(ranks, task.ks), **{f"R@{k}": recall(ranks, k) for k in task.ks}}

    def _should_stop(self) -> bool:
        later = [row for row in self.state.history[self.best_epoch :] if "mean" in row]
        return 0 < self.config.patience <= len(later)

    def _note(self, epoch: int, loss: Tensor) -> str:
        validated = [row["R@1"] for row in self.state.history if "R@1" in row]
        recalled = f", val R@1 {validated[-1]:.1f}" if validated else ""
        return f"epoch {epoch}, loss {float(loss):.3f}{recalled}"


def _column(loss: str) -> str:
    return loss if loss == "loss" else f"loss_{loss}"

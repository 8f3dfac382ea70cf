"""Teaches a causal language model to write the answers of requests: the loss counts the answer's tokens alone.

Batches hold requests of like length, padded on the left as in decoding; their order is drawn anew in every epoch.
"""

# Shapes: B requests of a batch, L padded tokens, A tokens of the longest answer, V vocabulary.

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor

from cvr_data.core.errors import CvrError
from cvr_data.core.progress import Progress

IGNORED = -100


@dataclass(frozen=True)
class Sample:
    """The tokens of a request, and of the answer that is to follow."""

    prompt: Sequence[int]
    answer: Sequence[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast to learn."""

    epochs: int
    batch_size: int
    learning_rate: float
    warmup: float
    weight_decay: float
    seed: int


@dataclass
class Learner:
    """A model in training; the best weights by held-out loss are kept, and put back at the end."""

    model: Any
    accelerator: Accelerator
    schedule: Schedule
    history: list[dict[str, float]] = field(default_factory=list)
    """One row per epoch: loss, and held_out_loss where examples are held out."""
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 1, with the lowest held-out loss; the last one where nothing is held out."""
        if "held_out_loss" not in self.history[-1]:
            return len(self.history)
        return 1 + min(range(len(self.history)), key=lambda epoch: self.history[epoch]["held_out_loss"])

    def learn(self, training: Sequence[Sample], held_out: Sequence[Sample]) -> None:
        """Train to the end.

        Raises:
            CvrError: the loss is no longer finite.
        """
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(
            parameters, lr=self.schedule.learning_rate, weight_decay=self.schedule.weight_decay
        )
        optimizer = self.accelerator.prepare(optimizer)
        generator = torch.Generator().manual_seed(self.schedule.seed)
        with Progress("train-generator", self.schedule.epochs * len(training), "examples") as progress:
            for epoch in range(1, self.schedule.epochs + 1):
                row = {"epoch": epoch, "loss": self._epoch(training, optimizer, generator, progress)}
                if held_out:
                    row["held_out_loss"] = self.loss(held_out)
                self.history.append(row)
                if held_out and self.best_epoch == epoch:
                    self.best = {name: value.cpu().clone() for name, value in self._learned()}
        if held_out and self.best_epoch < self.schedule.epochs:
            self._restore()

    @torch.inference_mode()
    def loss(self, samples: Sequence[Sample]) -> float:
        """Return the mean negative log-likelihood of an answer's token."""
        self.model.eval()
        order = sorted(range(len(samples)), key=lambda number: len(samples[number]))
        total, count = 0.0, 0
        for start in range(0, len(order), self.schedule.batch_size):
            batch = [samples[number] for number in order[start : start + self.schedule.batch_size]]
            tokens = sum(len(sample.answer) for sample in batch)
            total, count = total + float(self._loss(batch)) * tokens, count + tokens
        return total / count

    def _epoch(
        self, training: Sequence[Sample], optimizer: Any, generator: torch.Generator, progress: Progress
    ) -> float:
        self.model.train()
        losses = []
        for batch in generator_batches(training, self.schedule.batch_size, generator):
            for group in optimizer.param_groups:
                group["lr"] = self.schedule.learning_rate * self._share(progress.done, progress.total or 1)
            loss = self._loss(batch)
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(self.model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(loss.detach()))
            if not math.isfinite(losses[-1]):
                raise CvrError(f"The loss is not finite; lower learning_rate (now {self.schedule.learning_rate}).")
            progress.advance(len(batch), f"epoch {len(self.history) + 1}, loss {losses[-1]:.3f}")
        return sum(losses) / len(losses)

    def _share(self, done: int, total: int) -> float:
        """The learning rate rises to its peak over the warm-up, then falls in a line to zero."""
        place = (done + 1) / (total + 1)
        return min(
            place / self.schedule.warmup if self.schedule.warmup else 1.0, (1 - place) / (1 - self.schedule.warmup)
        )

    def _loss(self, batch: Sequence[Sample]) -> Tensor:
        inputs_BL, mask_BL, labels_BA = pad_generator_batch(batch, self.accelerator.device)
        with self.accelerator.autocast():
            logits_BAV = self.model(
                input_ids=inputs_BL,
                attention_mask=mask_BL,
                position_ids=(mask_BL.cumsum(dim=1) - 1).clamp(min=0),
                # The token before an answer predicts its first one.
                logits_to_keep=labels_BA.shape[1] + 1,
                use_cache=False,
            ).logits[:, :-1]
        return F.cross_entropy(logits_BAV.float().flatten(0, 1), labels_BA.flatten(), ignore_index=IGNORED)

    def _learned(self) -> Iterator[tuple[str, Tensor]]:
        named = self.model.named_parameters()
        return ((name, parameter.detach()) for name, parameter in named if parameter.requires_grad)

    @torch.no_grad()
    def _restore(self) -> None:
        for name, parameter in self.model.named_parameters():
            if name in self.best:
                parameter.copy_(self.best[name])


def generator_batches(samples: Sequence[Sample], size: int, generator: torch.Generator) -> Iterator[list[Sample]]:
    """Yield every sample once, in batches of like length that come in a random order."""
    shuffled = torch.randperm(len(samples), generator=generator).tolist()
    order = sorted(shuffled, key=lambda number: len(samples[number]))
    starts = range(0, len(order), size)
    for place in torch.randperm(len(starts), generator=generator).tolist():
        yield [samples[number] for number in order[starts[place] : starts[place] + size]]


def pad_generator_batch(batch: Sequence[Sample], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return tokens, mask and labels; padding stands on the left, so all answers end in the last column."""
    length = max(len(sample) for sample in batch)
    answer = max(len(sample.answer) for sample in batch)
    inputs = [[0] * (length - len(sample)) + [*sample.prompt, *sample.answer] for sample in batch]
    mask = [[0] * (length - len(sample)) + [1] * len(sample) for sample in batch]
    labels = [[IGNORED] * (answer - len(sample.answer)) + list(sample.answer) for sample in batch]
    return (torch.tensor(inputs, device=device), torch.tensor(mask, device=device), torch.tensor(labels, device=device))

"""Where a training stands between two epochs: all that the next one depends on, so that a resume changes nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cvr_bench.models.parts.processes import (
    gather_model_objects,
    is_first_model_process,
    model_process_count,
    model_process_number,
)
from cvr_bench.training.step_log import LogRow
from cvr_data.core.errors import CvrError
from cvr_data.core.torch_files import load_torch_file, write_torch

RESUME = "resume.pt"


def another_training(folder: Path) -> CvrError:
    """Return the error of a folder whose training has another key."""
    return CvrError(
        f"{folder} holds a training with other options or data, or by another version; `cvr bench` with --overwrite "
        "makes it again, another --out keeps it."
    )


class MovingAverage:
    """The average of a module's trained parameters, which is often better than the weights of any one step.

    Source: Polyak and Juditsky 1992; the decay rises from small values over the first steps, as is usual, so that the
    average soon forgets where training began. `decay` is what is kept of the average per step.
    """

    def __init__(self, module: nn.Module, decay: float):
        self.decay, self.updates = decay, 0
        self.parameters = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        self.average = {name: weight.detach().clone() for name, weight in self.parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, average in self.average.items():
            average.lerp_(self.parameters[name], 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average where the weights are, inside the block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {"updates": self.updates, "average": self.average}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.updates = state["updates"]
        for name, average in self.average.items():
            average.copy_(state["average"][name])

    @torch.no_grad()
    def _swap(self) -> None:
        for name, average in self.average.items():
            weight = self.parameters[name]
            kept = weight.detach().clone()
            weight.copy_(average)
            average.copy_(kept)


@dataclass
class TrainingState:
    """All that the next epoch depends on."""

    module: nn.Module
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    """Of the order of triplets."""
    scaler: Any = None
    """Of fp16's losses."""
    average: MovingAverage | None = None
    hard_rows: list[list[int]] = field(default_factory=list)
    """For each triplet the hard ones to place next to it; none yet, or none wanted."""
    history: list[LogRow] = field(default_factory=list)
    """One row per finished epoch."""

    def save(self, path: Path, key: str) -> None:
        """Write the state, the generators of dropout of all processes included; the file appears whole."""
        random = gather_model_objects(torch.get_rng_state())
        random_gpu = gather_model_objects(torch.cuda.get_rng_state() if torch.cuda.is_available() else None)
        content = {
            "key": key,
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "order": self.generator.get_state(),
            "random": random,
            "random_gpu": random_gpu,
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "average": None if self.average is None else self.average.state(),
            "hard_rows": self.hard_rows,
            "history": self.history,
        }
        if is_first_model_process():
            write_torch(path, content)

    def load(self, path: Path, key: str) -> None:
        """Continue from a written state.

        Raises:
            CvrError: it is of a training with other options or data, or on more or fewer devices.
        """
        content = load_torch_file(path)
        if content["key"] != key:
            raise another_training(path.parent)
        if len(content["random"]) != model_process_count():
            before = len(content["random"])
            raise CvrError(f"{path.parent} holds a training on {before} devices; resume on as many, or remove it.")
        self.module.load_state_dict(content["module"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.generator.set_state(content["order"])
        torch.set_rng_state(content["random"][model_process_number()])
        if (random_gpu := content["random_gpu"][model_process_number()]) is not None:
            torch.cuda.set_rng_state(random_gpu)
        if self.scaler is not None:
            self.scaler.load_state_dict(content["scaler"])
        if self.average is not None:
            self.average.load(content["average"])
        self.hard_rows, self.history = content["hard_rows"], content["history"]

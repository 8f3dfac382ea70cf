"""A moving average of weights, which is often better than the weights of any one step.

Source: Polyak and Juditsky 1992; the decay rises from small values over the first steps, as is usual, so that the
average soon forgets where training began.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class MovingAverage:
    """The average of a module's trained parameters.

    Args:
        module: whose.
        decay: what is kept of the average per step.
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

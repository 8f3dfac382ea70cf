"""A model's own random numbers, and features where its weights are."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` inside the block, and leave the generators outside as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


Features = TypeVar("Features")


def device_of(module: nn.Module) -> torch.device:
    """Return the device of a module's weights."""
    return next(module.parameters()).device


def on_device(features: Features, device: torch.device) -> Features:
    """Return a dataclass with every tensor in it, also in dataclasses inside it, on `device`."""
    if not dataclasses.is_dataclass(features):
        raise ValueError(f"A dataclass of tensors is needed, got {type(features).__name__}.")
    values = {field.name: getattr(features, field.name) for field in dataclasses.fields(features)}
    moved = {name: _moved(value, device) for name, value in values.items()}
    return dataclasses.replace(features, **moved)  # type: ignore[type-var]


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    return on_device(value, device) if dataclasses.is_dataclass(value) else value

"""A model's own random numbers, and features where its weights are."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Features = TypeVar("Features")


@contextmanager
def model_random_generators(seed: int) -> Iterator[None]:
    """Draw from `seed` inside the block, and leave the generators outside as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def network_device(module: nn.Module) -> torch.device:
    """Return the device of a module's weights."""
    return next(module.parameters()).device


def model_inputs_on_device(features: Features, device: torch.device) -> Features:
    """Return a dataclass with every tensor in it, also in dataclasses inside it, on `device`."""
    if not dataclasses.is_dataclass(features):
        raise ValueError(f"A dataclass of tensors is needed, got {type(features).__name__}.")
    values = {field.name: getattr(features, field.name) for field in dataclasses.fields(features)}
    moved: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Tensor):
            moved[name] = value.to(device, non_blocking=True)
        elif dataclasses.is_dataclass(value):
            moved[name] = model_inputs_on_device(value, device)
    return dataclasses.replace(features, **moved)  # type: ignore[type-var]

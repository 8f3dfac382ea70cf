"""A block with random numbers of its own: layers draw their first weights and dropout from torch's shared generator."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from `seed` inside the block, and leave the generators outside as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield

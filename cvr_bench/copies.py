"""Gallery items that have the very same vector: they score the same for every query, without looking."""

# Shapes: G gallery items, D embedding.

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

CELLS = 2**22
"""Numbers looked at in one go."""


@dataclass(frozen=True)
class Copies:
    """Which items have one vector."""

    first_G: np.ndarray
    """Column of the first item with the same vector."""
    number_G: np.ndarray
    """How many earlier items have the same vector."""


def find_copies(gallery_GD: Tensor) -> Copies:
    """Return which rows are the same, bit by bit."""
    keys_G = _keys(gallery_GD)
    _, first, kind_G = np.unique(keys_G, return_index=True, return_inverse=True)
    first_G = first[kind_G]
    own_G = np.arange(len(first_G))
    later = np.flatnonzero(first_G != own_G)
    at_once = max(1, CELLS // gallery_GD.shape[1])
    for start in range(0, len(later), at_once):
        rows = later[start : start + at_once]
        is_other = (gallery_GD[rows] != gallery_GD[first_G[rows]]).any(dim=1).numpy()  # equal keys, other vectors
        first_G[rows[is_other]] = rows[is_other]
    order = np.argsort(first_G, kind="stable")
    number_G = np.empty(len(first_G), dtype=np.int64)
    number_G[order] = own_G - np.searchsorted(first_G[order], first_G[order])
    return Copies(first_G, number_G)


def _keys(gallery_GD: Tensor) -> np.ndarray:
    """A 64-bit hash of each row."""
    draw = np.random.default_rng(0).integers(1, 2**62, gallery_GD.shape[1], dtype=np.int64) | 1
    weights_D = torch.from_numpy(draw)
    chunks = gallery_GD.split(max(1, CELLS // gallery_GD.shape[1]))
    parts = [(part.contiguous().view(torch.int32).long() * weights_D).sum(dim=1) for part in chunks]
    return torch.cat(parts).numpy()

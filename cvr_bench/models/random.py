"""Rank by chance: a score drawn from the names of the query and the video, the floor of every table."""

# Shapes: Q queries, G gallery items.

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cvr_bench.tasks.task import Item, Query
from cvr_data.features.protocol import Encoder


@dataclass(frozen=True, kw_only=True)
class Config:
    seed: int = 0
    """Another seed is another order."""


TINY = Config()


def load(config: Config, encoder: Encoder) -> "RandomRetriever":
    return RandomRetriever(config.seed)


class RandomRetriever:
    """The same query and video always get the same score, whatever stands beside them."""

    is_exact = True

    def __init__(self, seed: int):
        self.seed = seed
        self.gallery_G = np.empty(0, dtype=np.uint64)

    def index(self, gallery: Sequence[Item]) -> None:
        """Draw a number for each item."""
        self.gallery_G = self._draw("item", [item.item_id for item in gallery])

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG, uniform between 0 and 1."""
        queries_Q = self._draw("query", [query.query_id for query in queries])
        bits_QG = _mix(queries_Q[:, None] ^ self.gallery_G)
        return torch.from_numpy((bits_QG >> np.uint64(40)).astype(np.float32) / 2**24)

    def _draw(self, kind: str, names: Sequence[str]) -> np.ndarray:
        digests = [hashlib.sha256(f"{self.seed} {kind} {name}".encode("utf-8", "surrogatepass")) for name in names]
        return np.array([int.from_bytes(digest.digest()[:8]) for digest in digests], dtype=np.uint64)


def _mix(bits: np.ndarray) -> np.ndarray:
    """Scramble 64-bit numbers so that near ones have nothing in common.

    Source: the finaliser of SplitMix64, Steele, Lea and Flood, OOPSLA 2014 (https://doi.org/10.1145/2660193.2660195).
    """
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))

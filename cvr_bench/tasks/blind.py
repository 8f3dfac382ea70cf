"""Benchmarks whose answers are kept by a server: queries and a gallery, and the best items to send in."""

# Shapes: Q queries of a chunk, G gallery items.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cvr_bench.tasks.task import Item, Query

if TYPE_CHECKING:  # torch, which those who read a benchmark do not need
    pass


@dataclass(frozen=True, kw_only=True)
class BlindTask:
    """What is known of a test split without targets; a query's own reference is never among its answers."""

    name: str
    queries: Sequence[Query]
    gallery: Sequence[Item]
    """Empty where the server keeps it too."""
    candidates: Mapping[str, frozenset[str]] | None = None
    """query_id -> the part of the gallery it is ranked against; None is all of it."""

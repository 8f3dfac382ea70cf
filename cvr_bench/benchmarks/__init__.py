"""Benchmarks, one file each.

A benchmark brings a hand-written sample of its files, `annotations/samples/NAME`, and an `EXAMPLE`: options -> how many
queries and gallery items the sample then has, such as `{"": (3, 8), "split=val gallery=named": (3, 4)}`. The first
field of its Config says where its files lie.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from cvr_bench.tasks.task import Task
from cvr_data.core.registry import Family, Member


class BenchmarkModule(Member, Protocol):
    """A module that makes a task of published files."""

    def files(self, config: Any) -> list[Path]:
        """Return the files that `load` reads.

        Raises:
            CvrError: one is missing; the line says which, and where it is had.
        """

    def load(self, config: Any) -> Task:
        """Return the task of the chosen split and gallery.

        Raises:
            CvrError: a file is missing, cannot be read or is not whole, names what another does not have, or the
                targets of the split are kept by a server. `load_blind` and what gives training data raise the same.
        """


@runtime_checkable
class KeepsTargets(Protocol):
    """A benchmark with splits whose targets only a test server knows."""

    def load_blind(self, config: Any) -> Task:
        """Return the queries and gallery of such a split, without targets."""


@runtime_checkable
class HasTriplets(Protocol):
    """A benchmark with triplets to train on."""

    def training_files(self, config: Any) -> list[Path]:
        """Return the files that `load_triplets` reads."""

    def load_triplets(self, config: Any) -> pa.Table:
        """Return the triplets, with their splits."""


@runtime_checkable
class HasCaptions(Protocol):
    """A benchmark with captioned training videos."""

    def training_files(self, config: Any) -> list[Path]:
        """Return the files that `load_captions` reads."""

    def load_captions(self, config: Any) -> Mapping[str, Sequence[str]]:
        """Return video_id -> captions."""


@runtime_checkable
class HasSplits(Protocol):
    """The Config of a benchmark that has more than its test split."""

    split: str


BENCHMARKS: Family[BenchmarkModule] = Family(__name__, BenchmarkModule)

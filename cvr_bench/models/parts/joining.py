"""Joins a batch that is spread over devices or over time, so that every triplet has all others as negatives.

A `training_step` asks its batch: `batch.joined(query_BD)` gives the rows of all parts, `batch.joined_ids(ids)` theirs.
A batch that is in one place gets back what it gave. In a joined tensor the rows of other parts are constants, and the
gradient of the own rows counts once per part. As every part works out the loss of the whole batch, the mean over the
parts of their gradients is the gradient of one process that has the whole batch: of the parameters behind the rows and
of those in the loss, such as a temperature, alike. The trainer takes that mean.
"""

# Shapes: B rows of one part, N rows of all parts.

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

import torch
from torch import Tensor

from cvr_bench.models.parts.processes import (
    gather_model_lists,
    gather_model_rows,
    model_process_count,
    model_process_number,
    pad_model_rows,
)
from cvr_data.core.errors import CvrError


class Joining(Protocol):
    """How the parts of a batch are joined."""

    def tensor(self, rows: Tensor) -> Tensor:
        """Return the rows of all parts, in one order for all tensors of a batch."""

    def ids(self, values: Sequence[Any]) -> list[Any]:
        """Return the values of all parts, in the order of the rows."""


class Whole:
    """A batch of one part."""

    def tensor(self, rows: Tensor) -> Tensor:
        """Return the rows as they are."""
        return rows

    def ids(self, values: Sequence[Any]) -> list[Any]:
        """Return the values as they are."""
        return list(values)


class OverProcesses:
    """A batch whose parts, of one size, are in the processes of torch.distributed."""

    def __init__(self) -> None:
        self.asked = 0

    def tensor(self, rows: Tensor) -> Tensor:
        """Return the rows of all processes."""
        self.asked += 1
        whole = gather_model_rows(rows.detach())
        return _with_own(whole, rows, model_process_number() * len(rows), model_process_count())

    def ids(self, values: Sequence[Any]) -> list[Any]:
        """Return the values of all processes."""
        return gather_model_lists(list(values))


@dataclass
class Recorded:
    """A part that runs for its rows alone; what it asks for is kept, and its own rows are given back."""

    tensors: list[Tensor] = field(default_factory=list)
    lists: list[list[Any]] = field(default_factory=list)

    def tensor(self, rows: Tensor) -> Tensor:
        """Return the rows as they are."""
        self.tensors.append(rows.detach())
        return rows

    def ids(self, values: Sequence[Any]) -> list[Any]:
        """Return the values as they are."""
        self.lists.append(list(values))
        return self.lists[-1]


class Replayed:
    """One of some parts that runs again, with the recorded rows of all others: in `whole`, its own begin at `start`."""

    def __init__(self, whole: Recorded, start: int, parts: int):
        self.whole, self.start, self.parts = whole, start, parts
        self.tensors, self.lists = iter(whole.tensors), iter(whole.lists)

    def tensor(self, rows: Tensor) -> Tensor:
        """Return the rows of all parts; only the own ones have gradients."""
        return _with_own(next(self.tensors), rows, self.start, self.parts)

    def ids(self, values: Sequence[Any]) -> list[Any]:
        """Return the values of all parts."""
        return next(self.lists)


def merge_model_parts(records: Sequence[Recorded]) -> Recorded:
    """Return what the parts of this process, and those of all others, asked for, joined.

    Raises:
        CvrError: they asked for nothing.
    """
    check_model_joined(len(records[0].tensors))
    tensors = []
    for parts in zip(*(record.tensors for record in records), strict=True):
        longest = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
        tensors.append(gather_model_rows(torch.cat([pad_model_rows(part, longest) for part in parts])))
    own = [list(chain.from_iterable(parts)) for parts in zip(*(record.lists for record in records), strict=True)]
    return Recorded(tensors, [gather_model_lists(values) for values in own])


def _with_own(whole: Tensor, own: Tensor, start: int, parts: int) -> Tensor:
    """`whole` with `own` in its place, the gradient of which counts `parts` times."""
    if not own.requires_grad:
        return whole
    rows = pad_model_rows(_Counted.apply(own, parts), whole.shape[1:])
    return torch.cat([whole[:start], rows, whole[start + len(own) :]])


class _Counted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, times: int) -> Tensor:
        ctx.times = times
        return rows.view_as(rows)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return grads[0] * ctx.times, None


def check_model_joined(count: int) -> None:
    """Refuse a model that has joined no tensor.

    Raises:
        CvrError: it would learn from the negatives of its own part alone.
    """
    if not count:
        raise CvrError(
            "This model does not join batches, so its negatives would be those of one part: "
            "train it with --devices 1 and without -t chunk_size."
        )

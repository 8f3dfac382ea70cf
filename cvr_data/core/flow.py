"""Rows on their way through the steps of a stage, as the runner hands them on."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cvr_data.core.parts import Part
from cvr_data.core.stages import ClaimStep, KeyedStep, Step

if TYPE_CHECKING:
    from cvr_data.core.runner import StageRun


@dataclass(frozen=True)
class Flow:
    """Rows on their way through the steps: parts as they lie on disk, and the steps that wait for the next pass."""

    run: "StageRun"
    parts: tuple[Part, ...]
    values: int
    """Rows of the parts, or items of their lists where these are more."""
    columns: tuple[str, ...] | None = None
    """What is read of an artifact."""
    steps: tuple[Step, ...] = ()
    rows: int | None = None
    """Rows of the parts, where an earlier pass counted them."""

    def then(self, step: Step) -> "Flow":
        """Return the flow with one more step; a pass is run first if the step's rows have to meet."""
        if isinstance(step, ClaimStep):
            return self.run.claimed(self, step)
        if isinstance(step, KeyedStep):
            return self.run.meet([self], step)
        return replace(self, steps=(*self.steps, step))


def all_together(name: str) -> KeyedStep:
    """Return a step that leaves all rows as they are, in one bucket."""
    return KeyedStep(name=name, run=_as_it_is, key=_one_key)


def buckets_of(values: int, most: int) -> int:
    """Return how many buckets of about so many values there are to be."""
    return max(1, -(-values // most))


def _one_key(config: Any, table: pa.Table) -> np.ndarray:
    return np.zeros(table.num_rows, np.uint64)


def _as_it_is(config: Any, table: pa.Table) -> pa.Table:
    return table

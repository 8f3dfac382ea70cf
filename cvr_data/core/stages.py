"""What a stage is made of: steps, pure functions on Arrow tables, of three shapes.

    Step       run(config, part, *sides) -> table              each part alone: most filters, texts, joins by a side
    KeyedStep  key(config, part) -> hashes                     rows of equal keys meet in one bucket,
               run(config, bucket, *sides) -> table            whatever parts they come from
    ClaimStep  claims(config, part) -> table of key, row, ...  a row asks under several keys, or in few columns;
               settle(config, claims) -> claims                claims of equal keys meet, some come back to their part,
               run(config, part, settled, *sides) -> table     which decides by them

A step marks the rows it removes with `drop_reason` and leaves all others as they are; one that `makes_rows` gives other
rows than it gets. The runner (`core.runner`) takes the marked rows out, counts both, and stops where a step lost a row.
What a step gives must follow from its config, rows and sides alone; then the result is the same for every cut of the
input, every number of workers, every engine, and whatever was killed meanwhile. So:

* rows of a bucket come in the order of the input's rows; who must not depend on that either sorts them,
* a key is the same number in every process: `parts.hash_bucket_keys`, never `hash`,
* functions and configs are picklable: module-level functions, frozen dataclasses,
* a side is small (a vocabulary, counts): a module-level function and what it is called with, once in each process.

A stage that drops videos with too few words, and all but the first of those of one caption:

    def drop_silent(config, part):
        return mark(part, pc.equal(pc.list_value_length(part["captions"]), 0), "no_caption")

    def drop_repeated(config, bucket):
        is_first = np.zeros(bucket.num_rows, bool)
        is_first[np.unique(bucket["url"].to_numpy(), return_index=True)[1]] = True
        return mark(bucket, pa.array(~is_first), "repeated_url")

    def one_each(videos, out, *, overwrite):
        run = StageRun(out, stage="one-each", version=1, config={}, inputs={"videos": videos}, overwrite=overwrite)
        if (done := run.finished()) is not None:
            return done
        with run:
            flow = run.read(videos).then(Step(name="silent", run=drop_silent))
            flow = flow.then(KeyedStep(name="repeated", run=drop_repeated, key=ByColumn("url")))
            return run.write(flow, VIDEOS, sort_by=("video_id",))
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.parts import hash_bucket_keys

PART_ROWS = 500_000
"""Rows of one output part of a stage that is called once."""


@dataclass(frozen=True)
class Side:
    """A small thing that every job of a step needs; each process loads it once."""

    load: Callable[..., Any]
    """A module-level function."""
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step that looks at each part alone."""

    name: str
    """Of the funnel, of messages and of the progress line."""
    run: Callable[..., pa.Table]
    config: Any = None
    sides: tuple[Side, ...] = ()
    makes_rows: bool = False
    """It gives other rows than it gets, so how many came in says nothing."""
    is_counted: bool = True
    """False of what only adds columns: it is no step of the funnel, and `drop_step` does not count it."""
    tells: bool = False
    """`run` returns (table, counts): name -> number, which the runner adds up over all parts (`StageRun.told`)."""
    on_gpu: bool = False
    """It runs a network: workers of a Ray that has GPUs share them."""


@dataclass(frozen=True, kw_only=True)
class KeyedStep(Step):
    """A step that looks at all rows of equal keys together."""

    key: Callable[..., np.ndarray]
    """(config, part) -> uint64 of each row."""
    bucket_values: int | None = None
    """Rows of a bucket, on average, where `run` needs much memory for each; else as many as the runner takes."""


@dataclass(frozen=True, kw_only=True)
class ClaimStep(Step):
    """A step that sends claims of its rows to where others of equal keys are, and decides by what comes back."""

    claims: Callable[..., pa.Table]
    """(config, part) -> claims: `key` uint64, `row` as the step numbers what it claims for, and what `settle` reads."""
    settle: Callable[[Any, pa.Table], pa.Table]
    """(config, claims of whole keys) -> some of them, in columns that their parts are to be told; `_piece`, which says
    what part one came from, is among them."""
    per_value: int = 1
    """Claims of each value of the input, at most; the number of buckets follows from it."""
    bucket_values: int | None = None
    """Claims of a bucket, on average, where they hold much; else as many as the runner takes."""
    offers: Callable[..., pa.Table] | None = None
    """(config, part) -> claims of the rows of another flow (`StageRun.claimed`), of which none comes back; they have
    columns of their own, which are null in `claims`, and the other way round."""


@dataclass(frozen=True)
class ByColumn:
    """The key of rows that meet where they have the same value in one column: texts by a hash, numbers as they are."""

    column: str

    def __call__(self, config: Any, table: pa.Table) -> np.ndarray:
        """Return a number per row."""
        values = table.column(self.column)
        return values.to_numpy() if pa.types.is_integer(values.type) else hash_bucket_keys(values)


@dataclass
class StepCount:
    """What became of the rows of a step."""

    rows_in: int = 0
    rows_out: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)

    def add(self, other: "StepCount") -> None:
        """Add the counts of another part."""
        self.rows_in += other.rows_in
        self.rows_out += other.rows_out
        self.dropped.update(other.dropped)


def all_together(name: str) -> KeyedStep:
    """Return a step that leaves all rows as they are, in one bucket."""
    return KeyedStep(name=name, run=_as_it_is, key=stage_key_for_all)


def stage_key_for_all(config: Any, table: pa.Table) -> np.ndarray:
    """Return the key of rows that all meet in one bucket."""
    return np.zeros(table.num_rows, np.uint64)


def _as_it_is(config: Any, table: pa.Table) -> pa.Table:
    return table


def count_drop_reasons(dropped: pa.Table) -> dict[str, int]:
    """Return how many rows each `drop_reason` has."""
    if not dropped.num_rows:
        return {}
    counts = pc.value_counts(dropped.column("drop_reason"))
    return dict(sorted((entry["values"], entry["counts"]) for entry in counts.to_pylist()))


def stage_rows_by_drop_reason(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return (kept rows without the column, removed rows with it) by `drop_reason`."""
    if "drop_reason" not in table.column_names:
        return table, table.slice(0, 0)
    is_kept = pc.is_null(table.column("drop_reason"))
    return table.filter(is_kept).drop_columns(["drop_reason"]), table.filter(pc.invert(is_kept))

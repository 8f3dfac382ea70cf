"""One job of a stage: read a part, run the steps on it, write what they give, and say so beside it.

A job reads and writes files and returns counts, so the process that hands jobs out holds no table. Its files come
first, each under a temporary name, synced and renamed; then `00000.json` with the counts, and size and sha256 of each.
A job whose files are as that says is not done again; one whose files were cut off, edited or removed is.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.parts import (
    Bucket,
    Part,
    artifact_bucket_number,
    artifact_file_of_dealt,
    read_artifact_bucket,
    read_part,
    write_dealt_artifact_rows,
)
from cvr_data.core.places import make_folder, path_or_address
from cvr_data.core.progress import silent
from cvr_data.core.stages import (
    PART_ROWS,
    ClaimStep,
    KeyedStep,
    Side,
    Step,
    StepCount,
    count_drop_reasons,
    stage_rows_by_drop_reason,
)
from cvr_data.core.whole_files import file_sha256, json_bytes, write_array, write_bytes, write_parquet

PIECE = "_piece"
"""Column of claims: which of the parts they came from; `settle` leaves it there."""


@dataclass(frozen=True)
class MadeFiles:
    """A part of an artifact whose rows are not all that it is: what is beside them, and what was looked for."""

    table: pa.Table
    dropped: pa.Table
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Name -> array of `NAME-00000.npy`."""
    without: Sequence[Path] = ()
    """Files that gave nothing: once one is there, or is another, the part is made again."""
    told: Mapping[str, int] = field(default_factory=dict)
    """What is counted beside the rows."""


Maker = Callable[[int, pa.Table], MadeFiles]
"""(number of the part, its rows) -> its files."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What the jobs of one pass over all parts have in common."""

    key: str
    """Of the artifact."""
    folder: Path
    """Of what the jobs write for later passes, and of their counts."""
    out: Path
    """Of the artifact."""
    columns: tuple[str, ...] | None = None
    """Of an artifact's parts; None is all."""
    steps: tuple[Step, ...] = ()
    first_counted: int = 0
    """How many steps of the funnel earlier passes had, for `drop_step`."""
    first_dropped: int = 0
    """Number of the first file of dropped rows."""
    deal_for: KeyedStep | ClaimStep | None = None
    """Whose keys the rows, or their claims, are dealt by; None writes parts of the artifact."""
    buckets: int = 1
    keeps_rows: bool = False
    """Also write the rows that claims were made of."""
    is_mapped: bool = False
    """Write what is dealt so that it is read where it lies."""
    schema: pa.Schema | None = None
    """Of the artifact's parts."""
    sort_by: tuple[str, ...] = ()

    def rows_folder(self) -> Path:
        """Return the folder of the rows that claims were made of."""
        return self.folder / "rows"


@dataclass(frozen=True)
class Done:
    """What a job says of itself."""

    counts: tuple[StepCount, ...]
    rows: int
    """Rows that came out of the last step, or claims that were settled."""
    given: int = 0
    """Rows of the part."""
    files: dict[str, list[Any]] = field(default_factory=dict)
    """Path from the artifact -> its size and sha256."""
    sizes: tuple[int, ...] = ()
    """Rows that were dealt into each bucket."""
    without: dict[str, int] = field(default_factory=dict)
    """File that gave nothing -> its size then, -1 where there was none."""
    is_kept: bool = False
    """An earlier run did it."""


def run_job(of: Pass, index: int, part: Part) -> Done:
    """Do what is not done yet of a job.

    Raises:
        CvrError: a file cannot be read, or the rows lack a column.
        RuntimeError: a step lost rows, or gave a bad table.
    """
    with silent():
        return _kept_or(of, index, [part], lambda: _run_steps(of, index, part))


def make_job(of: Pass, make: Maker, index: int, part: Part) -> Done:
    """Make one part of an artifact, unless it is there; `make` is asked for its files.

    Raises:
        RuntimeError: it lost rows.
    """

    def made() -> Done:
        files = make(index, rows := read_part(part))
        lost = files.dropped.num_rows
        if files.table.num_rows + lost != rows.num_rows:
            raise RuntimeError(f"Part {index} was given {rows.num_rows} rows and made {files.table.num_rows + lost}.")
        paths = []
        for name, array in files.arrays.items():
            paths.append(of.out / f"{name}-{index:05d}.npy")
            write_array(paths[-1], array)
        paths += _write_dropped(of, index, [files.dropped] if lost else [])
        paths.append(of.out / f"part-{index:05d}.parquet")
        write_parquet(paths[-1], files.table)
        count = StepCount(
            rows.num_rows, files.table.num_rows, Counter(count_drop_reasons(files.dropped)), Counter(files.told)
        )
        without = {str(path): _file_size(path) for path in files.without}
        return Done((count,), files.table.num_rows, rows.num_rows, _files_of_job(of, paths), without=without)

    with silent():
        return _kept_or(of, index, [part], made)


def settle_job(of: Pass, step: ClaimStep, buckets: Sequence[Bucket], index: int) -> Done:
    """Settle the claims of one bucket and write those that go back, a batch for each part they came from.

    Offers of another flow are a bucket of their own, after that of the claims.
    """

    def settle() -> Done:
        pieces = [piece for bucket in buckets for piece in read_artifact_bucket(bucket)]
        numbers = (pa.array(np.full(piece.num_rows, number, np.int32)) for number, piece in enumerate(pieces))
        numbered = [with_column(piece, PIECE, number) for piece, number in zip(pieces, numbers, strict=True)]
        claims = pa.concat_tables(numbered, promote_options="permissive")
        settled = step.settle(step.config, claims)
        path = of.folder / f"{index:05d}.arrow"
        asking = len(buckets[0].files)
        write_dealt_artifact_rows(path, settled.drop_columns([PIECE]), settled.column(PIECE).to_numpy(), asking)
        return Done((), settled.num_rows, claims.num_rows, _files_of_job(of, [path]))

    return _kept_or(of, index, [*buckets, step.name], settle)


def write_job_tables(of: Pass, make: Callable[[], Iterable[pa.Table]]) -> Done:
    """Write the tables that `make` yields, unless an earlier run did, as a file for each `PART_ROWS` rows or less."""

    def write() -> Done:
        paths: list[Path] = []
        rows = 0
        for table in make():
            for start in range(0, max(table.num_rows, 1), PART_ROWS):
                paths.append(artifact_file_of_dealt(of.folder, len(paths)))
                some = table.slice(start, PART_ROWS)
                write_dealt_artifact_rows(paths[-1], some, np.zeros(some.num_rows, np.int64), 1)
            rows += table.num_rows
        return Done((), rows, 0, _files_of_job(of, paths))

    return _kept_or(of, 0, [], write)


def _kept_or(of: Pass, index: int, about: Sequence[Any], make: Any) -> Done:
    note = of.folder / f"{index:05d}.json"
    signed = hashlib.sha256(repr((of.key, about, of.buckets, [step.name for step in of.steps])).encode()).hexdigest()
    if (done := _read_note(of, note, signed)) is not None:
        return done
    make_folder(of.folder)
    made = make()
    counts = [[count.rows_in, count.rows_out, dict(count.dropped), dict(count.told)] for count in made.counts]
    said = {"job": signed, "counts": counts, "rows": made.rows, "given": made.given, "files": made.files}
    said |= {"sizes": made.sizes, "without": made.without}
    write_bytes(note, json_bytes(said))
    pa.default_memory_pool().release_unused()
    return made


def _read_note(of: Pass, note: Path, signed: str) -> Done | None:
    """Return what an earlier run of the job said, if its files are still so."""
    try:
        said = json.loads(note.read_bytes())
        if said["job"] != signed or said["files"] != _files_of_job(of, [of.out / name for name in said["files"]]):
            return None
        if any(_file_size(path_or_address(name)) != size for name, size in said["without"].items()):
            return None
        counts = tuple(StepCount(*each[:2], *map(Counter, each[2:])) for each in said["counts"])
        sizes, without = tuple(said["sizes"]), said["without"]
        return Done(counts, said["rows"], said["given"], said["files"], sizes, without, is_kept=True)
    except (OSError, ValueError, KeyError, TypeError):  # no note, or one that was cut off or edited
        return None


def _file_size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _files_of_job(of: Pass, paths: Sequence[Path]) -> dict[str, list[Any]]:
    return {path.relative_to(of.out).as_posix(): [path.stat().st_size, file_sha256(path)] for path in paths}


def _run_steps(of: Pass, index: int, part: Part) -> Done:
    first = of.steps[0] if of.steps else None
    table = read_part(part, of.columns, partial(first.key, first.config) if isinstance(first, KeyedStep) else None)
    given, counts, lost = table.num_rows, list[StepCount](), list[pa.Table]()
    for step in of.steps:
        table, dropped, count = _apply_step(step, table, part, of.key)
        if step.is_counted:
            number = pa.array(np.full(dropped.num_rows, of.first_counted + len(counts), np.int32))
            lost += [dropped.append_column("drop_step", number)] if dropped.num_rows else []
            counts.append(count)
    paths = _write_dropped(of, index, lost)
    sizes: tuple[int, ...] = ()
    if of.deal_for is None:
        paths.append(of.out / f"part-{index:05d}.parquet")
        write_parquet(paths[-1], _finished_part(of, table))
    else:
        paths.append(of.folder / f"{index:05d}.arrow")
        sizes = _deal_rows(of, of.deal_for, paths[-1], table)
        paths += [of.rows_folder() / paths[-1].name] if of.keeps_rows else []
    return Done(tuple(counts), table.num_rows, given, _files_of_job(of, paths), sizes)


def _apply_step(step: Step, table: pa.Table, part: Part, key: str) -> tuple[pa.Table, pa.Table, StepCount]:
    sides = [_loaded_side(side, key) for side in step.sides]
    if isinstance(step, ClaimStep):
        settled = pa.concat_tables(list(read_artifact_bucket(part.verdicts))) if part.verdicts else pa.table({})
        made = step.run(step.config, table, settled, *sides)
    else:
        made = step.run(step.config, table, *sides)
    made, told = made if step.tells else (made, {})
    if not step.makes_rows and made.num_rows != table.num_rows:
        raise RuntimeError(f"The step {step.name!r} was given {table.num_rows} rows and returned {made.num_rows}.")
    kept, dropped = stage_rows_by_drop_reason(made)
    if not step.is_counted and dropped.num_rows:
        raise RuntimeError(f"The step {step.name!r} is not counted and drops {dropped.num_rows} rows.")
    return kept, dropped, StepCount(made.num_rows, kept.num_rows, Counter(count_drop_reasons(dropped)), Counter(told))


def _write_dropped(of: Pass, index: int, lost: Sequence[pa.Table]) -> list[Path]:
    path = of.out / f"dropped-{of.first_dropped + index:05d}.parquet"
    if lost:
        write_parquet(path, pa.concat_tables(lost, promote_options="permissive"))
    return [path] if lost else []


def _deal_rows(of: Pass, step: KeyedStep | ClaimStep, path: Path, table: pa.Table) -> tuple[int, ...]:
    """Write the rows, or their claims, for those they have to meet; return how many are in each bucket."""
    if isinstance(step, KeyedStep):
        dealt, keys = table, step.key(step.config, table)
    else:
        dealt = step.claims(step.config, table)
        keys = dealt.column("key").to_numpy()
    if of.keeps_rows:
        make_folder(of.rows_folder())
        write_dealt_artifact_rows(of.rows_folder() / path.name, table, np.zeros(table.num_rows, np.int64), 1)
    return write_dealt_artifact_rows(
        path, dealt, artifact_bucket_number(keys, of.buckets), of.buckets, is_mapped=of.is_mapped
    )


def _finished_part(of: Pass, table: pa.Table) -> pa.Table:
    table = table.sort_by([(name, "ascending") for name in of.sort_by]) if of.sort_by else table
    if of.schema is None:
        return table
    try:
        return check_columns(table, of.schema, of.steps[-1].name if of.steps else "input")
    except CvrError as error:
        raise RuntimeError(f"A step gave a bad table: {error}") from error


def forget_job_sides() -> None:
    """Let go of what sides loaded in this process: an artifact is written, and the next one has others."""
    _loaded_side.cache_clear()


@lru_cache(maxsize=8)
def _loaded_side(side: Side, key: str) -> Any:
    """What a side loads, once in this process for an artifact of this key."""
    return side.load(*side.arguments)

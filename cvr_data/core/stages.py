"""Runs a stage's parts on the engine of the block around (`cvr_data.core.jobs`), or in so many processes.

A stage that cuts its input into slices gives the same parts for any number of workers.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, ArtifactWriter, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.core.jobs import map_jobs, pool_unless_given, use_engine
from cvr_data.core.progress import Progress
from cvr_data.core.registry import config_dict

PART_ROWS = 500_000
"""Rows of one output part of a stage that is called once."""


class StageModule(Protocol):
    """A module that makes a table of tables."""

    __name__: str
    VERSION: int
    INPUTS: Mapping[str, pa.Schema]
    OUTPUT: pa.Schema

    @property
    def run(self) -> Callable[..., pa.Table]:
        """Config and the tables of INPUTS -> a table of OUTPUT, and of dropped rows with `drop_reason`; pure."""


@runtime_checkable
class Sliced(Protocol):
    """A stage that is called once per slice of its first input; the others are given whole."""

    ROWS: int


def run_stage(
    stage: StageModule,
    config: Any,
    inputs: Mapping[str, Path],
    out: Path,
    *,
    workers: int = 1,
    overwrite: bool = False,
) -> Artifact:
    """Run a stage over finished artifacts and return the one it made, resuming an interrupted run.

    Raises:
        CvrError: an input lacks a column, or `out` holds something else.
    """
    name = stage.__name__.rsplit(".", 1)[-1].replace("_", "-")
    writer = ArtifactWriter(
        out, stage=name, version=stage.VERSION, config=config_dict(config), inputs=inputs, overwrite=overwrite
    )
    if (done := writer.finished()) is not None:
        return done
    tables = [_read_input(inputs[input_name], schema) for input_name, schema in stage.INPUTS.items()]
    with writer:
        if isinstance(stage, Sliced):
            _run_slices(stage, config, tables, writer, name, rows=stage.ROWS, workers=workers)
        else:
            _run_whole(stage, config, tables, writer, name)
        return writer.finish()


def split_dropped(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return (kept rows without the column, removed rows with it) by `drop_reason`."""
    if "drop_reason" not in table.column_names:
        return table, table.slice(0, 0)
    is_kept = pc.is_null(table.column("drop_reason"))
    return table.filter(is_kept).drop_columns(["drop_reason"]), table.filter(pc.invert(is_kept))


def _read_input(path: Path, schema: pa.Schema) -> pa.Table:
    return check_columns(open_artifact(path).read(), schema, str(path))


def _run_whole(stage: StageModule, config: Any, tables: list[pa.Table], writer: ArtifactWriter, name: str) -> None:
    with Progress(name, None) as progress:
        kept, dropped = _call(stage, config, tables)
        progress.advance(kept.num_rows + dropped.num_rows, f"{dropped.num_rows} dropped")
    starts = range(0, max(kept.num_rows, 1), PART_ROWS)
    for index, start in enumerate(starts):
        writer.write_part(index, kept.slice(start, PART_ROWS), dropped=dropped if index == 0 else None)


def _run_slices(
    stage: StageModule,
    config: Any,
    tables: list[pa.Table],
    writer: ArtifactWriter,
    name: str,
    *,
    rows: int,
    workers: int,
) -> None:
    first, rest = tables[0], tables[1:]
    starts = list(range(0, max(first.num_rows, 1), rows))
    todo = [index for index in range(len(starts)) if not writer.has_part(index)]
    jobs = [([first.slice(starts[index], rows), *rest],) for index in todo]
    with Progress(name, first.num_rows) as progress:
        progress.skip(first.num_rows - sum(tables[0].num_rows for (tables,) in jobs))
        dropped_rows = 0
        for job, (kept, dropped) in _mapped(stage, config, jobs, workers):
            index = todo[job]
            writer.write_part(index, kept, dropped=dropped)
            dropped_rows += dropped.num_rows
            progress.advance(min(rows, first.num_rows - starts[index]), f"{dropped_rows} dropped")


def _mapped(
    stage: StageModule, config: Any, jobs: list[tuple[list[pa.Table]]], workers: int
) -> Iterator[tuple[int, tuple[pa.Table, pa.Table]]]:
    with use_engine(pool_unless_given(workers)) as engine:
        if engine.is_here:  # a stage need not be a module that others can import
            yield from map_jobs(_call, jobs, shared=(stage, config))
        else:
            yield from map_jobs(_call_named, jobs, shared=(stage.__name__, config))


def _call_named(module: str, config: Any, tables: list[pa.Table]) -> tuple[pa.Table, pa.Table]:
    from importlib import import_module

    return _call(cast(StageModule, import_module(module)), config, tables)


def _call(stage: StageModule, config: Any, tables: list[pa.Table]) -> tuple[pa.Table, pa.Table]:
    table = stage.run(config, *tables)
    kept, dropped = split_dropped(table)
    try:
        return check_columns(kept, stage.OUTPUT, stage.__name__), dropped
    except CvrError as error:
        raise RuntimeError(f"Stage {stage.__name__} gave a bad table: {error}") from error

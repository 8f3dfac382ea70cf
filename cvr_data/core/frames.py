"""Tables that a notebook holds, as artifacts that stages read, and back.

A frame remembers the artifact it was read from. As long as nobody changed it, it is that artifact; a changed one, or
one that came from elsewhere, is written to a folder of this process, which goes with it, as if the same stage had made
it from the same inputs: so lineage and leak checks hold.
"""

import atexit
import hashlib
import logging
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.core.nothing_left import empty_artifact_lines
from cvr_data.core.places import path_or_address
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import Step

if TYPE_CHECKING:
    from pandas import DataFrame

logger = logging.getLogger(__name__)
Frame: TypeAlias = "DataFrame | pa.Table | Path | str"
"""A table: a frame of pandas, one of Arrow, or the folder of an artifact."""
FOLDER, DIGEST = "cvr_folder", "cvr_digest"
"""What a frame remembers, in `DataFrame.attrs`."""


@cache
def dataframe_artifacts_folder() -> Path:
    """Return the folder of this process's own artifacts, which is removed when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="cvr-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def new_folder(stage: str, *made_of: Any) -> Path:
    """Return where an artifact of this process belongs: one place per stage and what it is made of."""
    return dataframe_artifacts_folder() / f"{stage}-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:20]}"


def artifact_dataframe(artifact: Artifact, table: pa.Table | None = None) -> "DataFrame":
    """Return the rows of an artifact, or what they are to a reader elsewhere, as a frame that remembers it."""
    frame = (artifact.read() if table is None else table).to_pandas()
    _tell_lost(artifact)
    frame.attrs.update({FOLDER: str(artifact.path.resolve()), DIGEST: _digest(_table(frame, artifact))})
    return frame


def _tell_lost(artifact: Artifact) -> None:
    """Say how many rows were dropped and why, as the command does: a frame holds the kept ones alone."""
    if dropped := artifact.manifest["dropped"]:
        listed = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        logger.warning("%s: %d rows, dropped: %s", artifact.stage, artifact.manifest["rows"], listed)
    for line in empty_artifact_lines(artifact.path, artifact.manifest):
        logger.warning("%s: %s", artifact.stage, line.strip())


def frame_given(given: Frame) -> "DataFrame | pa.Table":
    """Return a frame of pandas or table of Arrow as it is, a batch as a table.

    Raises:
        CvrError: it is none of these, or a column is there twice.
    """
    from pandas import DataFrame

    if isinstance(given, pa.RecordBatch):
        given = pa.Table.from_batches([given])
    if not isinstance(given, (pa.Table, DataFrame)):
        raise CvrError(f"A frame of pandas, a table of Arrow or a folder is needed, got {type(given).__name__}.")
    names = given.column_names if isinstance(given, pa.Table) else [*given.columns]
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise CvrError(f"the table: column {twice[0]!r} is there twice.")
    return given


def folder_of(given: Frame, schema: pa.Schema, stage: str, inputs: Mapping[str, Path] | None = None) -> Path:
    """Return the folder of an artifact with these rows: the one they were read from, else a new one.

    Args:
        given: the rows, or the folder.
        schema: columns that they must have; others stay.
        stage: what makes such rows, where nothing else is known.
        inputs: what they were made from, likewise.

    Raises:
        CvrError: a required column is missing, has nulls or another type, or there is no row.
    """
    if isinstance(given, (str, Path)):
        return path_or_address(given)
    given = frame_given(given)
    remembered = Path(given.attrs[FOLDER]) if not isinstance(given, pa.Table) and FOLDER in given.attrs else None
    source = open_artifact(remembered) if remembered is not None and remembered.is_dir() else None
    table = _table(given, source)
    if source is not None and not isinstance(given, pa.Table) and given.attrs[DIGEST] == _digest(table):
        return source.path
    if not table.num_rows:  # nor have its columns a type
        raise CvrError("the table has no row.")
    table = check_columns(table, schema, "the table")
    made_from = {name: source.input_path(name) for name in source.manifest["inputs"]} if source else dict(inputs or {})
    name = source.stage if source else stage
    folder = new_folder(name, _digest(table), sorted(map(str, made_from.values())))
    run = StageRun(folder, stage=name, version=0, config={"rows": _digest(table)}, inputs=made_from, overwrite=False)
    if run.finished() is None:
        with run:
            run.write_parts(
                run.made("read", lambda: iter([table])).then(Step(name="given", run=_same, is_counted=False)), schema
            )
            run.finish()
    return folder


def _same(config: None, rows: pa.Table) -> pa.Table:
    return rows


def _table(given: "DataFrame | pa.Table", source: Artifact | None) -> pa.Table:
    """The rows as Arrow; of columns that were read from an artifact in the types they had."""
    if isinstance(given, pa.Table):
        return given
    known = source.read().schema if source is not None else pa.schema([])
    columns = {}
    for name in given.columns:
        kind = known.field(name).type if name in known.names else None
        try:
            columns[str(name)] = pa.array(given[name], kind, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise CvrError(f"the table: column {name!r} is of no one type ({error}).") from None
        except UnicodeEncodeError:  # half a character
            raise CvrError(f"the table: column {name!r} has text that UTF-8 cannot hold.") from None
    return pa.table(columns)


def _digest(table: pa.Table) -> str:
    """What tells two tables apart, whatever parts they lie in."""
    sink = pa.BufferOutputStream()
    whole = table.combine_chunks()
    with pa.ipc.new_stream(sink, whole.schema.remove_metadata()) as writer:
        writer.write_table(whole.replace_schema_metadata(None))
    return hashlib.sha256(sink.getvalue()).hexdigest()

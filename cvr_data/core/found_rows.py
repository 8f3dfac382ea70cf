"""Single rows of an artifact, by the values of a few columns: of most row groups these columns are all that is read.

rows_with(open_artifact(pairs), "dropped", {"pair_id": ["3f2a..."]})
row_named(open_artifact(texts), "modification_id", "3f2a")         # an id, or how it begins
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cvr_data.core.artifacts import Artifact
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.reading import reading

Row = dict[str, Any]
KEPT, DROPPED = "part", "dropped"
"""How the files begin that hold the rows which a stage kept, and those it removed."""


def rows_with(artifact: Artifact, name: str, wanted: Mapping[str, Iterable[str]], needed: str = "") -> list[Row]:
    """Return the rows of the parts of that name that have one of the wanted values in each column named.

    Parts without the column that is `needed`, or without one that is wanted, have none.
    """
    values = {column: pa.array(list(some), pa.string()) for column, some in wanted.items()}

    def is_wanted(asked: pa.Table) -> pa.ChunkedArray:
        masks = [pc.is_in(asked.column(column), value_set=some) for column, some in values.items()]
        return reduce(pc.and_, masks)

    return _rows_of_part(artifact, name, list(values), is_wanted, needed)


def check_written(artifact: Artifact, schema: pa.Schema) -> None:
    """Refuse parts that lack a column which the schema requires. Raises CvrError: the first of them is named."""
    names = pq.read_schema(artifact.part_paths[0]).names if artifact.part_paths else schema.names
    for field in schema:
        if not field.nullable and field.name not in names:
            raise CvrError(f"{artifact.path}: column {field.name!r} is missing.")


def row_named(artifact: Artifact, column: str, beginning: str) -> Row:
    """Return the row of an id, or of the only one that begins so: one that was kept, else one that was removed.

    Raises:
        CvrError: the artifact has no such column, no such id, or several begin so.
    """
    what = column.removesuffix("_id")
    if artifact.part_paths and column not in pq.read_schema(artifact.part_paths[0]).names:
        raise CvrError(f"{artifact.path} was made by {artifact.stage!r} and holds no {what}s.")
    for name in (KEPT, DROPPED):
        rows = _rows_of_part(artifact, name, [column], lambda asked: pc.starts_with(asked.column(0), beginning))
        ids = sorted({row[column] for row in rows})
        if len(ids) > 1 and beginning not in ids:
            raise CvrError(f"{len(ids)} {what}s of {artifact.path} begin with {beginning!r}: {first_few(ids)}.")
        if rows:
            return next((row for row in rows if row[column] == beginning), rows[0])
    raise CvrError(f"{artifact.path} has no {what} {beginning!r}.")


def _rows_of_part(
    artifact: Artifact, name: str, columns: Sequence[str], is_wanted: Callable[[pa.Table], Any], needed: str = ""
) -> list[Row]:
    rows: list[Row] = []
    for path in sorted(artifact.path.glob(f"{name}-*.parquet")):
        with reading(path, "Parquet"), pq.ParquetFile(path) as part:
            has_all = {*columns, *filter(None, [needed])} <= set(part.schema_arrow.names)
            for number in range(part.num_row_groups if has_all else 0):
                mask = is_wanted(part.read_row_group(number, columns=columns))
                if pc.any(mask).as_py():
                    rows += part.read_row_group(number).filter(mask).to_pylist()
    return rows

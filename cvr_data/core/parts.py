"""What one job reads: row groups of Parquet files, or one bucket of the files that an earlier pass dealt its rows into.

A dealt file is Arrow IPC with one batch per bucket, so a job writes one file however many buckets there are, and a
bucket is read from the files of all jobs without the rest of them. Everything that jobs read and write goes through
here and `whole_files`.

Source: rows meet in bucket files by a hash of their key as in the deduplication of datatrove
(https://github.com/huggingface/datatrove); there each bucket is a file.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cvr_data.core.errors import CvrError, did_you_mean, first_line
from cvr_data.core.places import is_remote, open_parquet, opened
from cvr_data.core.reading import reading
from cvr_data.core.whole_files import whole_file

PARQUET = "Parquet; `cvr verify {}` tells more"
PART_VALUES = 262_144
"""Values (rows, or items of its lists where these are more) of a part that is cut out of an artifact."""


@dataclass(frozen=True)
class RowGroups:
    """Row groups first to before last of a Parquet file."""

    path: Path
    first: int
    last: int
    start: int = 0
    """First of their rows that is meant."""
    rows: int | None = None
    """How many are; None is all."""


@dataclass(frozen=True)
class Bucket:
    """Batch `number` of files `00000.arrow`, ... of a folder; all of one file where `number` is None."""

    folder: Path
    files: range
    number: int | None = None
    share: int = 0
    """Of a bucket that is too large for one job: which of its keys are meant."""
    shares: int = 1


@dataclass(frozen=True)
class Part:
    """What one job has before it."""

    rows: tuple[RowGroups | Bucket, ...]
    verdicts: Bucket | None = None
    """What was settled of the claims of these rows."""


@dataclass(frozen=True)
class Parts:
    """All rows of an artifact, cut up."""

    parts: tuple[Part, ...]
    values: int
    """Rows, or items of its lists where these are more: whatever the files are cut into, it is the same."""


def artifact_parts_of(paths: Sequence[Path], columns: Sequence[str], most: int | None = None) -> Parts:
    """Return consecutive row groups of Parquet files as parts of about `most` values (default: `PART_VALUES`).

    Only the footers are read.

    Raises:
        CvrError: a file cannot be read as Parquet.
    """
    parts: list[Part] = []
    waiting: list[RowGroups] = []
    values = waiting_values = 0
    for path in paths:
        footer = _footer(path)
        for group in range(footer.num_row_groups):
            size = _row_group_values(footer.row_group(group), columns)
            if waiting and waiting_values + size > (most or PART_VALUES):
                parts.append(Part(_joined_row_groups(waiting)))
                waiting, waiting_values = [], 0
            waiting.append(RowGroups(path, group, group + 1))
            waiting_values, values = waiting_values + size, values + size
    # An artifact without rows has a part too, which has its columns.
    last = [Part(_joined_row_groups(waiting))] if waiting else [] if parts else [Part((RowGroups(paths[0], 0, 0),))]
    return Parts((*parts, *last), values)


def cut_artifact_rows(paths: Sequence[Path], rows: int) -> Parts:
    """Return all rows of Parquet files as parts of so many rows, whatever the files are cut into: the last has less.

    Raises:
        CvrError: a file cannot be read as Parquet.
    """
    parts: list[Part] = []
    waiting: list[RowGroups] = []
    room, total = rows, 0
    for path in paths:
        footer = _footer(path)
        for group in range(footer.num_row_groups):
            size, start = footer.row_group(group).num_rows, 0
            while start < size:
                taken = min(room, size - start)
                waiting.append(RowGroups(path, group, group + 1, start, taken))
                start, room, total = start + taken, room - taken, total + taken
                if not room:
                    parts.append(Part(tuple(waiting)))
                    waiting, room = [], rows
    last = [Part(tuple(waiting))] if waiting else [] if parts else [Part((RowGroups(paths[0], 0, 0),))]
    return Parts((*parts, *last), total)


def column_names(path: Path) -> list[str]:
    """Return the columns of a Parquet file. Raises CvrError: it cannot be read as Parquet."""
    return read_schema(path).names


def read_schema(path: Path) -> pa.Schema:
    """Return the columns of a Parquet file with their types. Raises CvrError: it cannot be read as Parquet."""
    return _footer(path).schema.to_arrow_schema()


def chosen_columns(path: Path, columns: Sequence[str] | None, required: Sequence[str], where: Path) -> tuple[str, ...]:
    """Return those of the columns that a Parquet file has; None is all.

    Raises:
        CvrError: it cannot be read as Parquet, or a required column is missing.
    """
    names = column_names(path)
    for column in required:
        if column not in names:
            raise CvrError(f"{where}: column {column!r} is missing. {did_you_mean(column, names)}")
    return tuple(name for name in (names if columns is None else columns) if name in names)


def read_part(
    part: Part, columns: Sequence[str] | None = None, key: Callable[[pa.Table], np.ndarray] | None = None
) -> pa.Table:
    """Return the rows of a part; of an artifact those columns that it has.

    Args:
        part: what is read.
        columns: of artifacts; None is all.
        key: which the rows were dealt by; asked only of a bucket that is shared.

    Raises:
        CvrError: a file cannot be read.
    """
    tables: list[pa.Table] = []
    for piece in part.rows:
        if isinstance(piece, RowGroups):
            tables.append(_read_groups(piece, columns))
            continue
        for table in read_artifact_bucket(piece):
            if piece.shares > 1 and key is not None:
                table = table.filter(
                    pa.array(artifact_bucket_number(mix_hash_bits(key(table)), piece.shares) == piece.share)
                )
            tables.append(table)
    return pa.concat_tables(tables, promote_options="permissive")


def read_artifact_bucket(bucket: Bucket) -> Iterator[pa.Table]:
    """Yield the rows of a bucket, a table for each file. Raises CvrError: a file cannot be read."""
    for number in bucket.files:
        path = artifact_file_of_dealt(bucket.folder, number)
        try:
            with _mapped_arrow_file(path) as file, pa.ipc.open_file(file) as reader:
                whole = bucket.number is None
                yield reader.read_all() if whole else pa.Table.from_batches([reader.get_batch(bucket.number)])
        except (pa.ArrowInvalid, OSError) as error:
            raise CvrError(f"{path} cannot be read ({first_line(error)}); run the command again.") from None


def artifact_bucket_table(bucket: Bucket) -> pa.Table:
    """Return the rows of a bucket as one table. Raises CvrError: a file cannot be read."""
    return pa.concat_tables(list(read_artifact_bucket(bucket)), promote_options="permissive")


def artifact_file_of_dealt(folder: Path, number: int) -> Path:
    """Return the file of one job."""
    return folder / f"{number:05d}.arrow"


def write_dealt_artifact_rows(
    path: Path, table: pa.Table, bucket_of_row: np.ndarray, buckets: int, *, is_mapped: bool = False
) -> tuple[int, ...]:
    """Write the rows of a table as one batch per bucket, whole or not at all; return how many rows are in each.

    Rows of a bucket stay in their order. What is to be mapped into memory is not compressed.
    """
    kind = np.uint8 if buckets <= 256 else np.uint16 if buckets <= 65_536 else np.int64
    order = np.argsort(bucket_of_row.astype(kind), kind="stable")  # by radix where the numbers are small
    starts = np.append(0, np.cumsum(np.bincount(bucket_of_row, minlength=buckets)))
    dealt = table.combine_chunks().take(pa.array(order))
    with whole_file(path) as temporary:
        options = pa.ipc.IpcWriteOptions(compression=None if is_mapped else "lz4")
        with pa.ipc.new_file(str(temporary), dealt.schema, options=options) as writer:
            for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
                writer.write_batch(_one_batch(dealt.slice(start, end - start)))
    return tuple(np.diff(starts).tolist())


def artifact_bucket_count(values: int, most: int) -> int:
    """Return how many buckets of about so many values there are to be."""
    return max(1, -(-values // most))


def artifact_bucket_number(keys: np.ndarray, most: int) -> np.ndarray:
    """Return the bucket of each key, from 0 to before `most`."""
    return (mix_hash_bits(keys.astype(np.uint64)) % np.uint64(most)).astype(np.int64)


def hash_bucket_keys(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return one uint64 per text, the same in every process; each distinct one is hashed once, null as an empty one."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    named = whole.cast(pa.string()).dictionary_encode(null_encoding="encode")
    digests = [blake2b((text or "").encode(), digest_size=8).digest() for text in named.dictionary.to_pylist()]
    return np.frombuffer(b"".join(digests), np.uint64)[named.indices.to_numpy(zero_copy_only=False)]


def mix_hash_bits(values: np.ndarray) -> np.ndarray:
    """Return well-spread uint64 numbers, one for each (the finaliser of splitmix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _mapped_arrow_file(path: Path) -> AbstractContextManager[Any]:
    return opened(path) if is_remote(path) else pa.memory_map(str(path))


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _read_groups(piece: RowGroups, columns: Sequence[str] | None) -> pa.Table:
    with reading(piece.path, PARQUET.format(piece.path.parent)), open_parquet(piece.path) as file:
        names = file.schema_arrow.names
        wanted = names if columns is None else [name for name in columns if name in names]
        table = file.read_row_groups(range(piece.first, piece.last), columns=wanted).select(wanted)
        return table.slice(piece.start, piece.rows)


def _footer(path: Path) -> pq.FileMetaData:
    with reading(path, PARQUET.format(path.parent)), open_parquet(path) as file:
        return file.metadata


def _row_group_values(group: pq.RowGroupMetaData, columns: Sequence[str]) -> int:
    counts = [group.column(number) for number in range(group.num_columns)]
    wanted = [column.num_values for column in counts if column.path_in_schema.split(".")[0] in columns]
    return max([group.num_rows, *wanted])


def _joined_row_groups(groups: Iterable[RowGroups]) -> tuple[RowGroups, ...]:
    """Return the same groups, those that follow each other in one file as one."""
    joined: list[RowGroups] = []
    for group in groups:
        if joined and (joined[-1].path, joined[-1].last) == (group.path, group.first):
            joined[-1] = RowGroups(group.path, joined[-1].first, group.last)
        else:
            joined.append(group)
    return tuple(joined)

"""What `cvr embed` reads: a videos table with its captions, or one text column, from an artifact or a single file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, did_you_mean, first_few
from cvr_data.core.files import SUFFIXES, read_table
from cvr_data.core.parts import Part, hash_bucket_keys, read_part, read_schema
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import ByColumn, KeyedStep, Step
from cvr_data.download.items import read_ids_to_download
from cvr_data.tables import VIDEOS

VIDEOS_PER_PART = 256
TEXTS_PER_PART = 4096


@dataclass(frozen=True)
class EmbedInputs:
    """What is embedded, a part of the result for each part: those of videos come first."""

    video_parts: tuple[Part, ...]
    text_parts: tuple[Part, ...]
    videos: int
    """How many videos there are."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What of a source is embedded."""

    videos: bool
    text_columns: tuple[str, ...]
    only: Path | None
    """A file of video ids."""
    where: str
    """What to call the source in an error."""


def read_embed_source(source: Path) -> tuple[pa.Table, str]:
    """Return the table of an artifact, or of a file, and what to call it in an error."""
    if not source.is_file():
        return open_artifact(source).read(), str(source)
    if source.suffix.lower() in SUFFIXES:
        return read_table(source), str(source)
    raise CvrError(f"{source} should be a folder made by cvr, or a table that ends in {', '.join(SUFFIXES)}.")


def texts_to_embed(table: pa.Table, columns: Sequence[str], where: str) -> list[str]:
    """Return the distinct texts of string or list-of-string columns, sorted, nulls left out.

    Raises:
        CvrError: a column is absent or holds no text.
    """
    texts: set[str] = set()
    for name in columns:
        if name not in table.column_names:
            raise CvrError(f"{where}: there is no column {name!r}. {did_you_mean(name, table.column_names)}")
        values = table.column(name).combine_chunks()
        while pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
            values = values.flatten()
        if pa.types.is_null(values.type):
            continue
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            raise CvrError(f"{where}: column {name!r} holds {values.type}, not text.")
        texts.update(values.unique().drop_null().to_pylist())
    return sorted(texts)


def embed_source_schema(source: Path) -> pa.Table:
    """Return a table without rows that has the columns of a source.

    Raises:
        CvrError: there is no such artifact, or the file cannot be read.
    """
    if source.is_file():
        return read_embed_source(source)[0].slice(0, 0)
    return read_schema(open_artifact(source).part_paths[0]).empty_table()


def check_embed_source(columns: pa.Table, wanted: Wanted) -> None:
    """Refuse a source that lacks what is wanted of it; `columns` is a table without rows.

    Raises:
        CvrError: a column is absent, or holds something else.
    """
    if wanted.videos:
        columns = check_columns(columns, VIDEOS, wanted.where)
    texts_to_embed(columns, wanted.text_columns, wanted.where)
    if wanted.only is not None and "video_id" not in columns.column_names:
        raise CvrError(f"{wanted.where} has no column 'video_id', so --only {wanted.only} cannot choose of it.")


def embed_inputs(run: StageRun, source: Path, wanted: Wanted) -> EmbedInputs:
    """Return the videos of a source in the order of its rows, and its distinct texts, sorted in buckets, as parts.

    Raises:
        CvrError: ids come twice, or the source has not all that are asked for.
    """
    columns = dict.fromkeys([*_OF_VIDEOS, *wanted.text_columns])
    if source.is_file():
        rows = run.made("source", lambda: [_selected(read_embed_source(source)[0], columns)])
    else:
        rows = run.read(source, list(columns))
    videos = run.made("videos", lambda: _in_parts(_video_tables(rows, wanted), VIDEOS_PER_PART))
    step = Step(name="texts", run=_texts, config=wanted, makes_rows=True, is_counted=False)
    together = KeyedStep(name="texts", run=_sorted, key=ByColumn("text"), makes_rows=True, is_counted=False)
    buckets = run.rested(rows.then(step).then(together))
    texts = run.made("sorted", lambda: _in_parts(map(read_part, buckets.parts), TEXTS_PER_PART))
    return EmbedInputs(videos.parts, texts.parts, videos.values)


def _in_parts(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Yield the rows of tables in tables of this many; the last may have fewer."""
    waiting = pa.table({})
    for table in tables:
        waiting = pa.concat_tables([waiting, table]) if waiting.num_rows else table
        while waiting.num_rows >= rows:
            yield waiting.slice(0, rows)
            waiting = waiting.slice(rows)
    if waiting.num_rows:
        yield waiting


_OF_VIDEOS = ("video_id", "path", "start_s", "end_s")


def _selected(table: pa.Table, columns: Iterable[str]) -> pa.Table:
    return table.select([name for name in columns if name in table.column_names])


def _video_tables(rows: Flow, wanted: Wanted) -> Iterator[pa.Table]:
    """The videos that are wanted, once they are looked at for ids that come twice or not at all."""
    only = None if wanted.only is None else read_ids_to_download(wanted.only)
    hashes = [np.empty(0, np.uint64)]
    found: set[str] = set()
    for part in rows.parts:
        table = read_part(part, rows.columns)
        if only is not None:
            table = _chosen(table, only)
            found.update(table.column("video_id").to_pylist())
        if wanted.videos:
            table = check_columns(_selected(table, _OF_VIDEOS), _VIDEO_ROWS, wanted.where)
            hashes.append(hash_bucket_keys(table.column("video_id")))
            yield table
    if only is not None and (missing := sorted(only - found)):
        name = f"{wanted.only} names {len(missing)} videos that {wanted.where} has not"
        raise CvrError(f"{name}: {first_few(missing)}.")
    values, counts = np.unique(np.concatenate(hashes), return_counts=True)
    if (counts > 1).any():
        ids = chain.from_iterable(read_part(part, ["video_id"]).column("video_id") for part in rows.parts)
        repeated = [name.as_py() for name in ids if hash_bucket_keys(pa.array([name]))[0] in values[counts > 1]]
        raise CvrError(f"{wanted.where}: video_id is not unique: {first_few(dict.fromkeys(repeated))}.")


_VIDEO_ROWS = pa.schema([VIDEOS.field(name) for name in _OF_VIDEOS])


def _chosen(table: pa.Table, ids: set[str]) -> pa.Table:
    return table.filter(pc.is_in(table.column("video_id"), pa.array(sorted(ids), table.schema.field("video_id").type)))


def _texts(wanted: Wanted, rows: pa.Table) -> pa.Table:
    if wanted.only is not None:
        rows = _chosen(rows, read_ids_to_download(wanted.only))
    columns = [name for name in wanted.text_columns if name in rows.column_names]  # videos need no description
    return pa.table({"text": pa.array(texts_to_embed(rows, columns, wanted.where), pa.string())})


def _sorted(config: None, texts: pa.Table) -> pa.Table:
    return pa.table({"text": texts.column("text").unique()}).sort_by("text")

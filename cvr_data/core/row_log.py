"""Rows in Parquet files that are only ever added to: the last row of a key counts.

Many small files are merged when a run starts: the merged one is there before the others go, so a kill in between costs
nothing. Runs that share a folder write files of their own names.
"""

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cvr_data.core.reading import reading
from cvr_data.core.whole_files import write_parquet

FLUSH_ROWS = 512
FLUSH_S = 5.0
"""Rows wait at most so long before they are on disk; a kill loses those."""
MERGE_FROM = 8


class RowLog:
    """The rows of the files whose names start with `prefix`, by key, and those that are added."""

    def __init__(self, folder: Path, schema: pa.Schema, *, key: str, when: str, prefix: str = ""):
        self.folder, self.schema, self.key, self.prefix = folder, schema, key, prefix
        self.waiting: list[Mapping[str, Any]] = []
        self.flushed = time.monotonic()
        files = sorted(folder.glob(f"{prefix}*.parquet"))
        self.known = last_log_file_rows(files, schema, key=key, when=when)
        if len(files) >= MERGE_FROM:
            self._write_log(self.known.values())
            for path in files:
                path.unlink()

    def add(self, row: Mapping[str, Any]) -> None:
        """Take a row; it is on disk with the next few, or after some seconds."""
        self.known[row[self.key]] = {name: row.get(name) for name in self.schema.names}
        self.waiting.append(row)
        if len(self.waiting) >= FLUSH_ROWS or time.monotonic() - self.flushed > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait."""
        self.flushed = time.monotonic()
        if self.waiting:
            self._write_log(self.waiting)
            self.waiting = []

    def _write_log(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.prefix}{time.time_ns():020d}-{os.getpid()}.parquet"
        write_parquet(self.folder / name, pa.Table.from_pylist(list(rows), self.schema))


def last_log_file_rows(files: Iterable[Path], schema: pa.Schema, *, key: str, when: str) -> dict[str, dict[str, Any]]:
    """Return key -> the row of the files with the latest time in the column `when`."""
    rows: list[dict[str, Any]] = []
    for path in files:
        with reading(path, "rows of a log; remove it, and they are made again"):
            rows += pq.read_table(path, schema=schema).to_pylist()
    return {row[key]: row for row in sorted(rows, key=lambda row: row[when])}

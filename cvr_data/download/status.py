"""What became of each item: Parquet files that are only ever added to, the last row of an item counts.

    pandas.read_parquet("videos/download-status")     item_id, url, file, status, error, http_status, bytes, ...

Every shard writes files of its own names, so machines that share a disk do not meet. Many small files are merged when a
run starts: the merged one is there before the others go, so a kill in between costs nothing.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from cvr_data.core.artifacts import write_parquet

Status = Literal["ok", "failed", "retriable"]
"""failed: asking again will not help (404, 403, another sha256); retriable: it may (a reset, 503, a timeout)."""
FOLDER = "download-status"
SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("url", pa.string()),
        ("file", pa.string()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("http_status", pa.int32()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("attempts", pa.int32()),
        ("finished_s", pa.float64()),
    ]
)
FLUSH_ROWS = 512
FLUSH_S = 5.0
"""Rows wait at most so long before they are on disk; a kill loses those, and their files are found again."""
MERGE_FROM = 8


@dataclass(frozen=True, kw_only=True)
class StatusRow:
    """What became of one item."""

    item_id: str
    url: str
    file: str
    status: Status
    error: str | None = None
    http_status: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    attempts: int = 0
    finished_s: float = 0.0
    """Unix time."""


class StatusTable:
    """The rows of a folder: all that are known, and those this shard adds."""

    def __init__(self, folder: Path, *, num_shards: int = 1, shard_id: int = 0):
        self.folder = folder / FOLDER
        self.prefix = f"status-{shard_id:05d}-of-{num_shards:05d}"
        self.waiting: list[StatusRow] = []
        self.flushed = time.monotonic()
        self._merge()
        self.known = {row.item_id: row for row in read_status(folder)}

    def add(self, row: StatusRow) -> None:
        """Take a row; it is written with the next few, or after some seconds."""
        self.known[row.item_id] = row
        self.waiting.append(row)
        if len(self.waiting) >= FLUSH_ROWS or time.monotonic() - self.flushed > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait."""
        self.flushed = time.monotonic()
        if self.waiting:
            self._write(self.waiting)
            self.waiting = []

    def _write(self, rows: Iterable[StatusRow]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.prefix}-{time.time_ns():020d}-{os.getpid()}.parquet"
        write_parquet(self.folder / name, pa.Table.from_pylist([asdict(row) for row in rows], SCHEMA))

    def _merge(self) -> None:
        files = sorted(self.folder.glob(f"{self.prefix}-*.parquet"))
        if len(files) >= MERGE_FROM:
            self._write(_last_rows(files))
            for path in files:
                path.unlink()


def read_status(folder: Path) -> list[StatusRow]:
    """Return the last row of each item of a download folder, by item_id; none if nothing was asked for there."""
    return _last_rows(sorted((folder / FOLDER).glob("status-*.parquet")))


def _last_rows(files: Iterable[Path]) -> list[StatusRow]:
    rows = [StatusRow(**values) for path in files for values in pq.read_table(path, schema=SCHEMA).to_pylist()]
    last = {row.item_id: row for row in sorted(rows, key=lambda row: row.finished_s)}
    return [last[item_id] for item_id in sorted(last)]

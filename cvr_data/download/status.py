"""What became of each item: a log of rows, of which the last of an item counts.

    pandas.read_parquet("videos/download-status")     item_id, url, file, status, error, http_status, bytes, ...

Every shard writes files of its own names, so machines that share a disk do not meet. A file whose row a kill lost is
found again.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from cvr_data.core.row_log import RowLog, last_log_file_rows

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
        prefix = f"status-{shard_id:05d}-of-{num_shards:05d}-"
        self.log = RowLog(folder / FOLDER, SCHEMA, key="item_id", when="finished_s", prefix=prefix)
        self.known = {row.item_id: row for row in read_download_status(folder)}

    def add(self, row: StatusRow) -> None:
        """Take a row; it is written with the next few, or after some seconds."""
        self.known[row.item_id] = row
        self.log.add(asdict(row))

    def flush(self) -> None:
        """Write the rows that wait."""
        self.log.flush()


def read_download_status(folder: Path) -> list[StatusRow]:
    """Return the last row of each item of a download folder, by item_id; none if nothing was asked for there."""
    files = sorted((folder / FOLDER).glob("status-*.parquet"))
    rows = last_log_file_rows(files, SCHEMA, key="item_id", when="finished_s")
    return [StatusRow(**rows[item_id]) for item_id in sorted(rows)]

"""Parquet, one file per split: our own columns, for pandas, DuckDB and `datasets`.

    triplets-train.parquet  triplets-val.parquet  triplets-test.parquet

Nothing is lost: reading gives the table that was written, in the order train, val, test.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from cvr_data.core.columns import check_columns
from cvr_data.core.files import read_table
from cvr_data.core.whole_files import write_parquet
from cvr_data.formats._rows import concat_format_tables, file_rows_by_split, files_by_split
from cvr_data.tables import SPLITS, TRIPLETS

FILES = {split: [f"triplets-{split}.parquet"] for split in SPLITS}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Takes no option."""


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write `out`/triplets-<split>.parquet, each split that has rows, and return the paths."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for split, rows in file_rows_by_split(triplets):
        paths.append(out / FILES[split][0])
        write_parquet(paths[-1], rows)
    return paths


def read(config: Config, path: Path) -> pa.Table:
    files = files_by_split(path, FILES, "", otherwise=SPLITS[0]).values()  # rows have their own
    return concat_format_tables([check_columns(read_table(file), TRIPLETS, str(file)) for file in files])

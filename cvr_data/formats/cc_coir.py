"""CC-CoIR CSV: WebVid-CoVR's recipe on images; captions, ids and text, no scores.

    txt1, txt2     captions of the reference and the target
    pth1, pth2     ids of the reference and the target
    edit           the modification text

Columns are found by name, unknown ones are ignored, and only pth1, pth2 and edit must be there.

Source: Ventura et al., TPAMI 2024 (https://huggingface.co/datasets/lucas-ventura/CC-CoIR); the columns are those that
its loader reads, their order in the published file is unknown.

Unseen: the published files were not at hand; the reader follows the code that reads them.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from cvr_data.formats._covr_csv import CovrCsv, read_covr_csv_files, write_covr_csv_files

COLUMNS = {
    "txt1": "reference_caption",
    "txt2": "target_caption",
    "pth1": "reference_id",
    "pth2": "target_id",
    "edit": "modification",
}
"""Column of the file -> column of the triplets table."""


@dataclass(frozen=True, kw_only=True)
class Config(CovrCsv):
    pass


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write `out`/cc-coir_{train,val,test}.csv, each split that has rows, and return the paths."""
    return write_covr_csv_files(triplets, out, "cc-coir", COLUMNS)


def read(config: Config, path: Path) -> pa.Table:
    return read_covr_csv_files(config, path, COLUMNS)

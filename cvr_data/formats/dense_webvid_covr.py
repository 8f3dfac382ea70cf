"""Dense-WebVid-CoVR CSV: long modification texts, and a description of about 80 words in the place of each caption.

    index (or id)    number of the row
    pth1, pth2       ids of the reference and the target
    txt1, txt2       descriptions of the reference and the target
    edit             the modification text
    scores           as in WebVid-CoVR

Descriptions become the extra columns `reference_description` and `target_description`; captions are something else.
Columns are found by name, unknown ones are ignored, and only pth1, pth2 and edit must be there, so the challenge files
without pth2, whose targets are hidden, are refused.

Source: Thawakar et al., ICCV 2025 (https://huggingface.co/datasets/omkarthawakar/Dense-WebVid-CoVR), and the files of
https://github.com/mbzuai-oryx/CoVR-VidLLM-CVPRW25.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.files import read_table
from cvr_data.formats._covr_csv import CovrCsv, check_covr_csv_columns, read_covr_csv_files, write_covr_csv_files
from cvr_data.formats._rows import format_column, format_video_values
from cvr_data.tables import QUERY_NUMBER

COLUMNS = {
    "index": QUERY_NUMBER,
    "id": QUERY_NUMBER,
    "pth1": "reference_id",
    "pth2": "target_id",
    "txt1": "reference_description",
    "txt2": "target_description",
    "edit": "modification",
    "scores": "frame_scores",
}
"""Column of the file -> column of the triplets table."""
FILES = ("dense-webvid8m-covr_test.csv", "dense-webvid-covr_test.csv")
"""The name of the published test file, and of ours."""
QUERIES = {"id": "published_query_id", "pth1": "reference_id", "edit": "modification", "txt1": "reference_description"}
"""Columns of the challenge's files without targets."""


@dataclass(frozen=True, kw_only=True)
class Config(CovrCsv):
    columns: tuple[str, ...] = ("index", "pth1", "pth2", "txt1", "txt2", "edit", "scores")
    """Columns to write, in this order; pth1, pth2 and edit must be among them. Reading takes what is there."""
    style: str = "dense"

    def __post_init__(self) -> None:
        check_covr_csv_columns(self.columns, COLUMNS)
        super().__post_init__()


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write `out`/dense-webvid-covr_{train,val,test}.csv and return the paths; an unknown value is an empty cell.

    Descriptions are columns of the triplets or, where those have none, `description` of the videos.

    Raises:
        CvrError: descriptions are asked for, and no video has one.
    """
    described = _with_descriptions(triplets, format_video_values(videos, "description"))
    is_asked = {"txt1", "txt2"} & set(config.columns)
    if is_asked and described.column("reference_description").null_count == described.num_rows:
        raise CvrError("No reference video has a description; leave them out with -o columns=index,pth1,pth2,edit.")
    columns = {name: COLUMNS[name] for name in config.columns}
    return write_covr_csv_files(described, out, "dense-webvid-covr", columns)


def read(config: Config, path: Path) -> pa.Table:
    return read_covr_csv_files(config, path, COLUMNS)


def read_dense_webvid_covr_format(path: Path) -> pa.Table:
    """Return the queries of a file of the challenge, whose targets are hidden.

    Raises:
        CvrError: the file is empty or no CSV, or lacks a column.
    """
    return read_table(path, QUERIES, QUERIES).rename_columns(list(QUERIES.values()))


def _with_descriptions(triplets: pa.Table, descriptions: dict[str, str]) -> pa.Table:
    for end in ("reference", "target"):
        name = f"{end}_description"
        pairs = zip(format_column(triplets, name), triplets.column(f"{end}_id").to_pylist(), strict=True)
        values = pa.array([known or descriptions.get(video_id) for known, video_id in pairs], pa.string())
        triplets = with_column(triplets, name, values)
    return triplets

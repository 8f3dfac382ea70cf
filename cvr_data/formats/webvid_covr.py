"""WebVid-CoVR CSV: one row per triplet, the layout most composed-video-retrieval code reads.

    txt1, txt2          captions of the reference and the target
    sim_txt, sim_vid    cosine of the captions, and of the mean frame embeddings
    pth1, pth2          ids of the reference and the target
    edit                the modification text
    scores              a list: similarity of `edit` to each sampled frame of the target
    person-prob         carried through; nothing reads it

Columns are found by name, unknown ones (such as an index) are ignored, and only pth1, pth2 and edit must be there:
the published test file has seven of the nine.

Source: Ventura et al., AAAI 2024 (https://huggingface.co/datasets/lucas-ventura/WebVid-CoVR).
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from cvr_data.formats._covr_csv import (
    CovrCsv,
    check_covr_csv_columns,
    covr_format_csv,
    read_covr_csv_files,
    write_covr_csv_files,
)

COLUMNS = {
    "txt1": "reference_caption",
    "txt2": "target_caption",
    "sim_txt": "text_similarity",
    "pth1": "reference_id",
    "pth2": "target_id",
    "edit": "modification",
    "scores": "frame_scores",
    "sim_vid": "visual_similarity",
    "person-prob": "person_prob",
}
"""Column of the file -> column of the triplets table, in the order of the published file."""
FILES = {
    "train": ("webvid2m-covr_train.csv", "webvid_covr_train.csv"),
    "val": ("webvid8m-covr_val.csv", "webvid_covr_val.csv"),
    "test": ("webvid8m-covr_test.csv", "webvid_covr_test.csv"),
}
"""Split -> the name of its published file, and of ours."""


@dataclass(frozen=True, kw_only=True)
class Config(CovrCsv):
    columns: tuple[str, ...] = tuple(COLUMNS)
    """Columns to write, in this order; pth1, pth2 and edit must be among them. Reading takes what is there."""

    def __post_init__(self) -> None:
        check_covr_csv_columns(self.columns, COLUMNS)
        super().__post_init__()


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write `out`/webvid_covr_{train,val,test}.csv, each split that has rows, and return the paths."""
    return write_covr_csv_files(triplets, out, "webvid_covr", {name: COLUMNS[name] for name in config.columns})


def webvid_covr_csv(triplets: pa.Table, columns: tuple[str, ...] = tuple(COLUMNS)) -> bytes:
    """Return the triplets as the text of a CSV file; an unknown value is an empty cell, no scores are `[]`."""
    return covr_format_csv(triplets, {name: COLUMNS[name] for name in columns})


def read(config: Config, path: Path) -> pa.Table:
    return read_covr_csv_files(config, path, COLUMNS)

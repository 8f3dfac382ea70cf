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

import ast
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from cvr_data.artifacts import write_bytes
from cvr_data.errors import CvrError, did_you_mean, first_few
from cvr_data.tables import TRIPLETS, check_columns, query_id, triplet_id

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

REQUIRED = ("pth1", "pth2", "edit")
NUMBERS = ("sim_txt", "sim_vid", "person-prob")
SPLITS = ("train", "val", "test")

EXAMPLE = (
    "txt1,txt2,sim_txt,pth1,pth2,edit,scores\n"
    'A dog runs on sand,A cat runs on sand,0.81,1/100,1/101,make it a cat,"[0.3524, 0.4087]"\n'
)


@dataclass(frozen=True, kw_only=True)
class Config:
    columns: tuple[str, ...] = tuple(COLUMNS)
    """Columns to write, in this order; pth1, pth2 and edit must be among them. Reading takes what is there."""
    split: str = ""
    """Split of the rows read: train, val or test. Empty: the one in the file's name (`…_test.csv`), else train."""
    style: str = "short"
    """Style of the texts read; the file does not say."""

    def __post_init__(self):
        for name in self.columns:
            if name not in COLUMNS:
                raise ValueError(f"unknown column {name!r}. {did_you_mean(name, COLUMNS)}")
        if missing := [name for name in REQUIRED if name not in self.columns]:
            raise ValueError(f"columns must have {', '.join(REQUIRED)}; missing: {', '.join(missing)}.")
        if self.split not in ("", *SPLITS):
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {self.split!r}.")


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write `out`/webvid_covr_{train,val,test}.csv, each split that has rows, and return the paths."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for split in SPLITS:
        rows = triplets.filter(pc.equal(triplets.column("split"), split))
        if rows.num_rows:
            paths.append(out / f"webvid_covr_{split}.csv")
            write_bytes(paths[-1], csv_bytes(rows, config.columns))
    return paths


def csv_bytes(triplets: pa.Table, columns: tuple[str, ...] = tuple(COLUMNS)) -> bytes:
    """Return the triplets as the text of a CSV file; an unknown value is an empty cell, no scores are `[]`."""
    cells = [_cells(triplets, name) for name in columns]
    lines = [columns, *zip(*cells, strict=True)]
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines).encode()


def read(config: Config, path: Path) -> pa.Table:
    """Return the triplets of a CSV file, or of all `*.csv` of a folder, with ids recomputed from their content.

    Raises:
        CvrError: the file is empty or no CSV, lacks a required column, or a number or list in it is none.
    """
    if path.is_dir():
        files = sorted(path.glob("*.csv"))
        if not files:
            raise CvrError(f"{path} holds no .csv file.")
        return pa.concat_tables([read(config, file) for file in files], promote_options="permissive")
    cells = _read_csv(path)
    known = {name: cells.column(name) for name in COLUMNS if name in cells.column_names}
    columns = {COLUMNS[name]: _values(name, column, path) for name, column in known.items()}
    references, texts, targets = (columns[COLUMNS[name]].to_pylist() for name in ("pth1", "edit", "pth2"))
    rows = len(references)
    columns["triplet_id"] = pa.array(map(triplet_id, references, texts, targets), pa.string())
    columns["query_id"] = pa.array(map(query_id, references, texts), pa.string())
    columns["split"] = pa.array([config.split or _split_in(path.stem)] * rows, pa.string())
    columns["style"] = pa.array([config.style] * rows, pa.string())
    return check_columns(pa.table(columns), TRIPLETS, str(path))


def _cells(triplets: pa.Table, name: str) -> list[str]:
    column = COLUMNS[name]
    if column not in triplets.column_names:
        return [""] * triplets.num_rows
    values = triplets.column(column).to_pylist()
    if name == "scores":
        return [str([round(score, 4) for score in scores or []]) for scores in values]
    if name in NUMBERS:
        return ["" if value is None else str(np.float32(value)) for value in values]  # shortest text of the same float
    return ["" if value is None else str(value) for value in values]


def _quoted(cell: str) -> str:
    """Quote as RFC 4180 says; the csv module of Python 3.11 leaves a lone carriage return bare."""
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"\r\n') else cell


def _read_csv(path: Path) -> pa.Table:
    if not path.is_file():
        raise CvrError(f"{path} does not exist.")
    options = pa_csv.ConvertOptions(
        include_columns=list(COLUMNS), include_missing_columns=True, column_types=dict.fromkeys(COLUMNS, pa.string())
    )
    parse = pa_csv.ParseOptions(newlines_in_values=True)
    try:
        header = pa_csv.open_csv(path, parse_options=parse, convert_options=pa_csv.ConvertOptions()).schema.names
        table = pa_csv.read_csv(path, parse_options=parse, convert_options=options)
    except pa.ArrowInvalid as error:
        raise CvrError(f"{path} cannot be read as CSV: {str(error).splitlines()[0]}") from None
    if missing := [name for name in REQUIRED if name not in header]:
        raise CvrError(f"{path}: column {missing[0]!r} is missing. {did_you_mean(missing[0], header)}")
    return table.select([name for name in COLUMNS if name in header])


def _values(name: str, column: pa.ChunkedArray, path: Path) -> pa.Array:
    texts = column.to_pylist()
    if name in NUMBERS:
        return pa.array(_parsed(texts, float, name, path), pa.float32())
    if name == "scores":
        return pa.array(_parsed(texts, _scores, name, path), pa.list_(pa.float32()))
    blank = [row for row, text in enumerate(texts) if not text]
    if blank and name in REQUIRED:
        raise CvrError(f"{path}: column {name!r} is empty in rows {first_few(blank)} (counted from 0).")
    return pa.array([text or None for text in texts], pa.string())


def _parsed(texts: list[str | None], parse: type | object, name: str, path: Path) -> list:
    values = []
    for row, text in enumerate(texts):
        try:
            values.append(parse(text) if text else None)  # type: ignore[operator]
        except (ValueError, SyntaxError, TypeError):
            raise CvrError(f"{path}: row {row} (counted from 0), column {name!r}: cannot read {text!r}.") from None
    return values


def _scores(text: str) -> list[float] | None:
    try:
        values = json.loads(text)
    except json.JSONDecodeError:
        values = ast.literal_eval(text)
    return [float(value) for value in values] or None


def _split_in(stem: str) -> str:
    return next((split for split in SPLITS if stem.lower().replace("-", "_").split("_")[-1] == split), "train")

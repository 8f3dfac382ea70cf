"""FineCVR: tab-separated triplets, plain and with numbered videos, the id maps, and eight frame features per video.

    annotations/{split}.txt              idx, reference, target, text, source, class_id: names of videos
    annotations/{split}_remaped.txt      the same with numbers
    annotations/id2vdoname_{split}.json  {"0": name}: the gallery of the split; vdoname2id_{split}.json is its inverse
    embbedings/<encoder>_8_<D>/<name>.npy

No header and no quoting, so a text cannot hold a tab or line break. `source` becomes the extra column
`video_source`, `class_id` one of its own.

Source: Wu et al., ICLR 2025; the layout as https://github.com/May2333/FDCA reads it, since the published files could
not be had. Its README spells the feature folder `embeddings`, its code `embbedings`; either is read.

Unseen: the published files were not at hand; the reader follows the code that reads them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from cvr_data.core.annotation_files import read_json, read_tab_separated
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.whole_files import write_bytes
from cvr_data.formats import _rows
from cvr_data.formats._rows import OfSplits
from cvr_data.tables import QUERY_NUMBER, SPLITS

KINDS = {"video_source": pa.string(), "class_id": pa.string()}
BREAKS = re.compile(r"[\t\r\n]")
MIN_CELLS, MAX_CELLS = 4, 6
REMAPED = "_remaped"
FILES = {split: [f"annotations/{split}.txt", f"annotations/{split}{REMAPED}.txt"] for split in SPLITS}


@dataclass(frozen=True, kw_only=True)
class Config(OfSplits):
    annotations: Literal["both", "plain", "remaped"] = "both"
    """Which of the two files of triplets to write; the reference code reads the remaped one."""
    embeddings: Path | None = None
    """Embeddings folder whose features to write beside the annotations; none are written without."""
    features: Literal["embbedings", "embeddings"] = "embbedings"
    """Spelling of the feature folder: that of the reference code, or of its README."""


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write the annotations, and the features if asked for, of each split that has rows, and return the paths.

    Raises:
        CvrError: a text or id holds a tab or line break, or a video lacks features.
    """
    folder = out / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    paths, galleries = [], []
    for split, rows in _rows.file_rows_by_split(triplets):
        gallery = _rows.format_file_gallery(rows, videos, split)
        numbers = {name: number for number, name in enumerate(gallery)}
        lines = list(_finecvr_lines(rows, _rows.format_video_values(videos, "source")))
        if config.annotations != "remaped":
            paths.append(_write_lines(folder / f"{split}.txt", lines))
        if config.annotations != "plain":
            remaped = [[line[0], str(numbers[line[1]]), str(numbers[line[2]]), *line[3:]] for line in lines]
            paths.append(_write_lines(folder / f"{split}{REMAPED}.txt", remaped))
        maps = {"id2vdoname": {str(number): name for name, number in numbers.items()}, "vdoname2id": numbers}
        paths += [_rows.write_format_json(folder / f"{name}_{split}.json", value) for name, value in maps.items()]
        galleries += gallery
    if config.embeddings is not None:
        from cvr_data.features.layouts.npy import write_npy_layout  # torch comes with it

        paths.append(write_npy_layout(list(dict.fromkeys(galleries)), config.embeddings, out / config.features))
    return paths


def read(config: Config, path: Path) -> pa.Table:
    """Return the triplets of a file, or of a folder with `annotations/`: there the plain files before the remaped."""
    return _rows.format_triplets_of_files(path, FILES, config, _read_file)


def read_videos(config: Config, path: Path) -> pa.Table:
    """Return the videos of the id maps that lie beside the files that `read` reads."""
    rows = [
        {"video_id": name, "split": split}
        for split, file in _rows.files_by_split(path, FILES, config.split).items()
        if (names := file.parent / f"id2vdoname_{split}.json").is_file()
        for name in read_finecvr_format_names(names)
    ]
    return _rows.format_videos(rows, "finecvr")


def read_finecvr_format_names(path: Path) -> list[str]:
    """Return the names of an id map in the order of their numbers.

    Raises:
        CvrError: the numbers are not 0 to N-1, as the reference code indexes them, or one name has several.
    """
    names = read_json(path, dict)
    missing = [str(number) for number in range(len(names)) if str(number) not in names]
    if missing:
        found = f"{first_few(missing)} is missing"
        raise CvrError(f"{path} should number its {len(names)} videos from 0 on without a gap; {found}.")
    if len(set(names.values())) != len(names):
        raise CvrError(f"{path} gives one name to several ids.")
    return [names[str(number)] for number in range(len(names))]


def _finecvr_lines(rows: pa.Table, sources: dict[str, str]) -> Iterator[list[str]]:
    for number, row in zip(_rows.format_row_numbers(rows), rows.to_pylist(), strict=True):
        source = row.get("video_source") or sources.get(row["reference_id"], "")
        cells = (row["reference_id"], row["target_id"], row["modification"], source, row.get("class_id") or "")
        if bad := next((cell for cell in cells if BREAKS.search(cell)), None):
            raise CvrError(f"finecvr: a cell cannot hold a tab or line break: {bad!r} of triplet {row['triplet_id']}.")
        yield [str(number), *cells]


def _write_lines(path: Path, lines: Sequence[Sequence[str]]) -> Path:
    write_bytes(path, "".join("\t".join(line) + "\n" for line in lines).encode())
    return path


def _read_file(config: Config, path: Path, split: str) -> pa.Table:
    lines = [cells + [""] * (MAX_CELLS - len(cells)) for cells in read_tab_separated(path, MIN_CELLS, MAX_CELLS)]
    names = None
    if path.stem.endswith(REMAPED):
        names = dict(
            enumerate(read_finecvr_format_names(path.parent / f"id2vdoname_{path.stem.removesuffix(REMAPED)}.json"))
        )
    ends = [[_finecvr_video_name(line[cell], names, path, row) for row, line in enumerate(lines)] for cell in (1, 2)]
    try:
        numbers = [int(line[0]) for line in lines]
    except ValueError as error:
        raise CvrError(f"{path}: the first cell of a line should be its number: {error}.") from None
    columns: dict[str, Sequence[Any]] = {
        "reference_id": ends[0],
        "target_id": ends[1],
        "modification": [line[3] for line in lines],
        "video_source": [line[4] or None for line in lines],
        "class_id": [line[5] or None for line in lines],
        QUERY_NUMBER: numbers,
    }
    return _rows.format_file_triplets(columns, where=path, split=split, style=config.style, kinds=KINDS)


def _finecvr_video_name(cell: str, names: dict[int, str] | None, path: Path, row: int) -> str:
    if names is None:
        return cell
    if not cell.isdecimal() or int(cell) not in names:
        raise CvrError(f"{path}: line {row} (counted from 0): {cell!r} is not in the id map.")
    return names[int(cell)]

"""What every published layout needs: triplets from columns and back, queries with several targets, galleries."""

import ast
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, did_you_mean, first_few, first_line
from cvr_data.core.split_names import split_named_by_file
from cvr_data.core.whole_files import write_bytes
from cvr_data.media.places import ids_of_media_clips
from cvr_data.tables import QUERY_NUMBER, SPLITS, TRIPLETS, VIDEOS, query_id, triplet_id

MARKS = ',"\r\n'
STORED_VIDEO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""What rows hold of a video, as `datasets` stores it."""
Texts = Literal["published", "fine", "multi"]
"""Whose texts ask for pairs of images: the set's own, FineCIR's, or TEMA's."""
OTHER_TEXTS = {"fine": "finemt", "multi": "mmt"}
"""Whose texts -> the key that they are under."""


@dataclass(frozen=True)
class PublishedQuery:
    """The rows of one query, a target each, and its number in the file."""

    number: int
    rows: list[dict[str, Any]]

    @property
    def first(self) -> dict[str, Any]:
        """The row of the first target."""
        return self.rows[0]

    @property
    def target_ids(self) -> list[str]:
        """All targets, in order."""
        return [row["target_id"] for row in self.rows]


def file_rows_by_split(triplets: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Yield each split that has rows, with its rows."""
    for split in SPLITS:
        rows = triplets.filter(pc.equal(triplets.column("split"), split))
        if rows.num_rows:
            yield split, rows


def format_column(table: pa.Table, name: str) -> list[Any]:
    """Return the values of a column; None everywhere where the table does not have it."""
    return table.column(name).to_pylist() if name in table.column_names else [None] * table.num_rows


def format_queries_in_file(rows: pa.Table) -> list[PublishedQuery]:
    """Return the queries in the order of their first rows; the numbers of the file stay if no two queries share one.

    Rows with equal reference and text are one query, unless a file numbered them apart.
    """
    grouped: dict[tuple[int | None, str], list[dict[str, Any]]] = {}
    for number, row in zip(format_column(rows, QUERY_NUMBER), rows.to_pylist(), strict=True):
        grouped.setdefault((number, row["query_id"]), []).append(row)
    numbers = [number for number, _ in grouped]
    are_usable = None not in numbers and max(Counter(numbers).values(), default=1) == 1
    return [
        PublishedQuery(number if are_usable and number is not None else place, found)
        for place, ((number, _), found) in enumerate(grouped.items())
    ]


def format_row_numbers(rows: pa.Table) -> list[int]:
    """Return a number for each row: that of the published file if they are all different, else its place."""
    numbers = format_column(rows, QUERY_NUMBER)
    return numbers if None not in numbers and len(set(numbers)) == len(numbers) else list(range(rows.num_rows))


def format_file_queries(
    columns: Mapping[str, Sequence[Any]], *, where: Path, kinds: Mapping[str, pa.DataType] | None = None
) -> pa.Table:
    """Return a table of columns, such as queries whose targets are hidden; `kinds` are types of extra columns.

    Raises:
        CvrError: a value is of another type than its column.
    """
    types = {QUERY_NUMBER: pa.int64(), **{field.name: field.type for field in TRIPLETS}, **(kinds or {})}
    return pa.table({name: _file_array(name, values, types[name], where) for name, values in columns.items()})


def format_file_triplets(
    columns: Mapping[str, Sequence[Any]], *, where: Path, split: str, style: str,
    kinds: Mapping[str, pa.DataType] | None = None,
) -> pa.Table:  # fmt: skip
    """Return the triplets table of columns, with ids computed from their content; `kinds` are types of extra columns.

    Raises:
        CvrError: a row lacks its reference or target, or a value is of another type than its column.
    """
    table = format_file_queries(columns, where=where, kinds=kinds)
    arrays = dict(zip(table.column_names, table.columns, strict=True))
    references, texts, targets = (arrays[name].to_pylist() for name in ("reference_id", "modification", "target_id"))
    for name, values in (("reference", references), ("target", targets)):
        if blank := [row for row, value in enumerate(values) if not value]:
            raise CvrError(f"{where}: rows {first_few(blank)} (counted from 0) have no {name}.")
    arrays["modification"] = pa.array([text or "" for text in texts], pa.string())
    texts = arrays["modification"].to_pylist()
    arrays["triplet_id"] = pa.array(map(triplet_id, references, texts, targets), pa.string())
    arrays["query_id"] = pa.array(map(query_id, references, texts), pa.string())
    arrays["split"] = pa.array([split] * len(texts), pa.string())
    arrays["style"] = pa.array([style] * len(texts), pa.string())
    return check_columns(pa.table(arrays), TRIPLETS, str(where))


def format_videos(rows: Iterable[Mapping[str, Any]], source: str) -> pa.Table:
    """Return the videos table of rows with video_id and split (captions, description, ... where known).

    Rows of one video are one; their lists are joined, and the most protected split (test, then val) stays.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = found.setdefault(row["video_id"], {"captions": [], "source": source})
        split = max((known.get("split", SPLITS[0]), row["split"]), key=SPLITS.index)
        lists = {
            name: list(dict.fromkeys([*known.get(name, ()), *value]))
            for name, value in row.items()
            if isinstance(value, list)
        }
        known.update({**row, **lists, "split": split})
    names = list(dict.fromkeys(name for row in found.values() for name in row))
    table = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in found.values()])
    return check_columns(table, VIDEOS, source) if found else VIDEOS.empty_table()


def concat_format_tables(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the tables as one; a column that some lack is null there."""
    return pa.concat_tables(tables, promote_options="permissive")


def format_file_gallery(rows: pa.Table, videos: pa.Table | None, split: str) -> list[str]:
    """Return the videos that queries of a split are ranked against: all of the split, then others the rows name."""
    listed: list[str] = []
    if videos is not None:
        listed = videos.filter(pc.equal(videos.column("split"), split)).column("video_id").to_pylist()
    return list(dict.fromkeys([*listed, *format_column(rows, "reference_id"), *format_column(rows, "target_id")]))


def format_video_values(videos: pa.Table | None, name: str) -> dict[str, Any]:
    """Return video id -> value of a column, of the videos that have one."""
    if videos is None:
        return {}
    pairs = zip(videos.column("video_id").to_pylist(), format_column(videos, name), strict=True)
    return {video_id: value for video_id, value in pairs if value is not None}


def refuse_clips_in_format(videos: pa.Table | None, video_ids: Iterable[str], name: str, option: str) -> None:
    """Refuse to put files of `video_ids` in rows that cannot say which seconds of them count.

    Raises:
        CvrError: a video is a clip of a longer file; the first three are named.
    """
    clips_of_videos = set() if videos is None else ids_of_media_clips(videos)
    if clips := [video_id for video_id in dict.fromkeys(video_ids) if video_id in clips_of_videos]:
        raise CvrError(
            f"{name}: {first_few(clips)} are clips of longer files, and rows would hold those whole; cut the clips "
            f"to files of their own (cvr cut VIDEOS --out videos-cut) and pass --videos videos-cut, or pass {option}."
        )


def split_in_file_name(path: Path, otherwise: str = "") -> str:
    """Return the split that a word of a file's name tells, else `otherwise`.

    Raises:
        CvrError: the name tells none, and `otherwise` is empty: a test that is taken for train is trained on.
    """
    if found := split_named_by_file(path.stem) or otherwise:
        return found
    raise CvrError(
        f"{path}: its name tells no split; import it first, with cvr import triplets and -o split={', '.join(SPLITS)}."
    )


def files_by_split(path: Path, wanted: Mapping[str, Sequence[str]], split: str, otherwise: str = "") -> dict[str, Path]:
    """Return split -> file: of a folder the first wanted name it has, in its published subfolder or not.

    A file is itself, of the split whose name it has or which its name tells, else `otherwise`. A `split` that is not
    empty is the only one.

    Raises:
        CvrError: the folder has none of them, or the name of a file tells no split.
    """
    if not path.is_dir():
        named = (name for name, names in wanted.items() if path.name in {Path(file).name for file in names})
        return {split or next(named, "") or split_in_file_name(path, otherwise): path}
    places = {
        name: [path / place for file in names for place in (file, Path(file).name)]
        for name, names in wanted.items()
        if split in ("", name)
    }
    found = {name: next(filter(Path.is_file, paths), None) for name, paths in places.items()}
    if files := {name: file for name, file in found.items() if file is not None}:
        return files
    listed = [file for name in places for file in wanted[name]]
    raise CvrError(f"{path} holds none of {first_few(listed, 6)}.")


def format_triplets_of_files(
    path: Path, wanted: Mapping[str, Sequence[str]], config: "OfSplits", read: Callable[[Any, Path, str], pa.Table]
) -> pa.Table:
    """Return the triplets that `read(config, file, split)` gives of a file, or of each split's file of a folder."""
    files = files_by_split(path, wanted, config.split)
    return concat_format_tables([read(config, file, split) for split, file in files.items()])


def format_csv_cells(cells: Sequence[Any], parse: Callable[[Any], Any], *, name: str, path: Path) -> list[Any]:
    """Return the cells of a column as values, None where a cell is empty.

    Raises:
        CvrError: `parse` refuses a cell with ValueError, SyntaxError or TypeError.
    """
    values = []
    for row, cell in enumerate(cells):
        try:
            values.append(None if cell is None or cell == "" else parse(cell))
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            raise CvrError(f"{path}: row {row} (counted from 0), column {name!r}: cannot read {cell!r}.") from None
    return values


def format_csv_literal(cell: Any) -> Any:
    """Return the value of a cell that holds a list or dict, or the text of one: JSON or as Python prints it."""
    if not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell)
    except (json.JSONDecodeError, RecursionError):
        return ast.literal_eval(cell)


def format_csv_texts(cell: Any) -> list[str]:
    """Return the texts of a cell that holds a list of them. Raises ValueError: it holds something else."""
    values = format_csv_literal(cell)
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise ValueError("not a list of texts")
    return list(values)


def write_format_csv(path: Path, header: Sequence[str], lines: Iterable[Sequence[str]]) -> Path:
    """Write a CSV file, with the folders above it; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, format_csv_text(header, lines))
    return path


def format_csv_text(header: Sequence[str], lines: Iterable[Sequence[str]]) -> bytes:
    """Return a CSV file, quoted as RFC 4180 says; the csv module of Python 3.11 leaves a lone carriage return bare."""
    return "".join(",".join(map(_quoted_csv_cell, line)) + "\n" for line in (header, *lines)).encode()


def write_format_json(path: Path, value: Any, indent: int | None = None) -> Path:
    """Write the value as published files of this kind are: ASCII, no newline at the end; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, json.dumps(value, indent=indent).encode())
    return path


def _file_array(name: str, values: Sequence[Any], kind: pa.DataType, where: Path) -> pa.Array:
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError) as error:
        raise CvrError(f"{where}: a value of {name!r} is no {kind} ({first_line(error)}).") from None


def _quoted_csv_cell(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in MARKS) else cell


@dataclass(frozen=True, kw_only=True)
class OfSplits:
    """Options of layouts with a file per split; the Config of one inherits them."""

    split: str = ""
    """Read this split only: train, val or test. Empty: all of a folder, or the one that a file is named after."""
    style: str = "short"
    """Style of the texts read; the file does not say."""

    def __post_init__(self) -> None:
        if self.split not in ("", *SPLITS):
            hint = did_you_mean(self.split, SPLITS)
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {self.split!r}. {hint}")

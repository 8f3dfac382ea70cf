"""Reads the files that data sets are published as, and finds the media that belong to their rows.

A file of another shape is one error line. Media are optional everywhere: a row whose file is not there keeps an empty
path, and a row whose file gives no frame is dropped. A corpus of clips tells recording and times with
`Entry.of_recording`; a file named after the clip is taken for cut, one named after the recording is read between them.
"""

import ast
import json
import math
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.files import SUFFIXES, Row, check_file, id_text, read_rows
from cvr_data.core.reading import read_text
from cvr_data.core.split_names import split_named_by_file
from cvr_data.download.status import FOLDER as DOWNLOAD_STATUS
from cvr_data.media.look import media_files
from cvr_data.media.names import normalised_media_name
from cvr_data.tables import SPLITS
from cvr_data.videos.entries import Entry, video_tables

Inputs = Callable[[Any], dict[str, Path]]
Entries = Callable[[Any], Iterator[Entry]]
Count = Callable[[Any], int | None]
Load = Callable[[Any, Path | None], Iterator[pa.Table]]


@dataclass(frozen=True, kw_only=True)
class Published:
    """Options of every published corpus; its Config inherits them."""

    path: Path = field(metadata={"output": False})
    """A CSV file, or the folder of them."""
    media: Path | None = None
    """Folder of the media files, searched to any depth for <id>.mp4; default: captions only."""
    check: bool = True
    """Open every media file and decode its first frame."""
    repeated: ClassVar[str] = "captions"


def video_corpus(
    name: str, inputs: Inputs, entries: Entries, file_of: Callable[[str], str] = str
) -> tuple[Inputs, Count, Load]:
    """Return `inputs`, `count` and `load` of a corpus: its videos come in slices, rows of one id are its captions.

    Each has the file of `media` whose name without suffix is what `file_of` makes of its id, if there is one. A clip
    that no file is named after lies in the file named after its recording, from its start to its end.
    """

    def load(config: Any, out: Path | None) -> Iterator[pa.Table]:
        find = _media_finder(config.media)
        found = (_with_media(entry, lambda video_id: find(file_of(video_id))) for entry in entries(config))
        return video_tables(found, name, config.repeated)

    return inputs, unknown_corpus_count, load


def unknown_corpus_count(config: Any) -> int | None:
    """Return how many rows `load` gives: that is not known without reading."""
    return None


def table_corpus(
    name: str, columns: Collection[str], entry: Callable[[Any, Row, Path], Entry]
) -> tuple[Inputs, Count, Load]:
    """Return `inputs`, `count` and `load` of a corpus of tables, each row of which is an entry.

    A file that is missing, empty or lacks a column is refused before anything is read.
    """
    return video_corpus(
        name,
        lambda config: checked_corpus_tables(config.path, columns),
        lambda config: (entry(config, row, file) for row, file in corpus_table_rows(config.path, columns)),
    )


def file_corpus(
    name: str,
    suffixes: tuple[str, ...],
    entries: Callable[[Any, Path], Iterator[Entry]],
    file_of: Callable[[str], str] = str,
) -> tuple[Inputs, Count, Load]:
    """Return `inputs`, `count` and `load` of a corpus whose files, by the end of their names, hold entries each."""
    return video_corpus(
        name,
        lambda config: {file.name: file for file in corpus_files(config.path, *suffixes)},
        lambda config: (entry for file in corpus_files(config.path, *suffixes) for entry in entries(config, file)),
        file_of,
    )


def corpus_files(path: Path, *suffixes: str) -> list[Path]:
    """Return the file, or the files of a folder that end in one of `suffixes`, sorted.

    Raises:
        CvrError: there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise CvrError(f"{path}: no such file or folder.")
    found = sorted(file for file in path.iterdir() if file.is_file() and file.name.lower().endswith(suffixes))
    if not found:
        raise CvrError(f"{path}: no file that ends in {' or '.join(suffixes)}.")
    return found


def corpus_table_files(path: Path) -> list[Path]:
    """Return the table, or the partitions in a folder and those below it, sorted. Raises CvrError: there is none.

    What `cvr download` notes there of its files is none of them.
    """
    if not path.is_dir():
        return [path]
    found = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES and file.is_file() and DOWNLOAD_STATUS not in file.relative_to(path).parts
    )
    if not found:
        raise CvrError(f"{path}: no table in this folder; one ends in {', '.join(SUFFIXES)}.")
    return found


def checked_corpus_tables(path: Path, columns: Collection[str]) -> dict[str, Path]:
    """Return the tables of `corpus_table_files` by name, once the start of each was looked at.

    Raises:
        CvrError: a file is missing, empty, or lacks a column.
    """
    files = corpus_table_files(path)
    for file in files:
        check_file(file, columns)
    return {file.name: file for file in files}


def corpus_table_rows(path: Path, columns: Collection[str]) -> Iterator[tuple[Row, Path]]:
    """Yield each row of the tables of `corpus_table_files`, with its file."""
    for file in corpus_table_files(path):
        for rows in read_rows(file, columns):
            yield from ((row, file) for row in rows)


def corpus_listed_splits(folder: Path) -> dict[str, str]:
    """Return the split of every id in the {train,val,test}_list.txt of a folder, where they are.

    Raises:
        CvrError: an id is in two of them.
    """
    splits: dict[str, str] = {}
    for split in SPLITS:
        listed = folder / f"{split}_list.txt"
        if listed.is_file():
            for video_id in read_text(listed).split():
                if splits.setdefault(video_id, split) != split:
                    raise CvrError(f"{folder}: {video_id!r} is in {splits[video_id]}_list.txt and in {split}_list.txt.")
    return splits


def _media_finder(media: Path | None) -> Callable[[str], Path | None]:
    """Return a function that gives the media file of an id, if there is one, in a folder or below it.

    Raises:
        CvrError: `media` is no folder.
    """
    if media is None:
        return lambda _: None
    if not media.is_dir():
        raise CvrError(f"{media}: no such folder of media.")
    known: dict[str, Path] = {}
    alike: dict[str, Path] = {}
    for name in media_files(media):
        known.setdefault(Path(name).stem, media / name)
        alike.setdefault(normalised_media_name(Path(name).stem), media / name)
    return lambda name: known.get(name) or (alike.get(normalised_media_name(name)) if name else None)


def _with_media(entry: Entry, find: Callable[[str], Path | None]) -> Entry:
    if entry.path is None and (cut := find(entry.video_id)) is not None:
        entry.use_cut_file(cut)
    elif entry.path is None and entry.values.get("start_s") is not None:
        entry.path = find(entry.values["recording_id"])
    return entry


def corpus_texts(value: Any) -> list[str]:
    """Return the texts of a value that should be a text or a list of them, without blanks around and none empty."""
    listed = value if isinstance(value, list) else [value]
    return [item.strip() for item in listed if isinstance(item, str) and item.strip()]


def corpus_entry(video_id: Any, captions: list[str], where: str, **values: Any) -> Entry:
    """Return an entry, dropped with its reason where the id or every caption is missing."""
    found = id_text(video_id)
    entry = Entry(found or "", captions, values, where=where)
    if found is None:
        entry.drop("bad_id", f"{where}: {video_id!r} is no id")
    if not found:
        entry.drop("no_id", f"{where}: no id")
    if not captions:
        entry.drop("no_caption", f"{where}: no caption")
    return entry


def corpus_entry_from(row: Row, column: str, captions: list[str], file: Path, *, needs_caption: bool = True) -> Entry:
    """Return the entry of a table's row, of the split that the file's name tells."""
    entry = _entry_in(row, column, captions, f"{file.name} {row.where}", {"split": split_named_by_file(file.stem)})
    if needs_caption and not captions:
        entry.drop("no_caption", f"{file.name} {row.where}: no caption")
    return entry


def corpus_entry_of_row(row: Row, id_column: str, caption_column: str, values: dict[str, Any]) -> Entry:
    """Return the entry of a row of a table of one's own, whose caption may be a list of captions."""
    given = row.values.get(caption_column)
    captions = published_video_captions(given)
    entry = _entry_in(row, id_column, captions or [], row.where, values)
    if captions is None:
        entry.drop(
            "bad_caption",
            f"{row.where}: column {caption_column!r} holds {_kind_of_caption(given)}, no text or list of texts",
        )
    if not captions:
        entry.drop("no_caption", f"{row.where}: no value in column {caption_column!r}")
    return entry


def published_video_captions(value: Any) -> list[str] | None:
    """Return the captions of a text, of a list of texts, or of a text that is such a list; None where it is neither.

    CSV has no lists, so tables of several captions in a cell hold them as JSON or as Python prints them.
    """
    if isinstance(value, str) and value[:1] + value[-1:] in ("[]", "{}"):
        value = _literal(value)
    listed = [value] if value is None or isinstance(value, str) else value
    if not isinstance(listed, list) or not all(item is None or isinstance(item, str) for item in listed):
        return None
    return [item.strip() for item in listed if item and item.strip()]


def _literal(text: str) -> Any:
    """Return the list or object that a text is in JSON or in Python, or the text itself: `[music]` is a caption."""
    for read in (json.loads, _python_value):
        try:
            value = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return value if isinstance(value, list | dict) else text
    return text


def _python_value(text: str) -> Any:
    """Return what Python prints so, or NumPy, which puts no commas: to Python two texts without one are one."""
    value = ast.literal_eval(text)
    texts = re.findall(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", text)
    return [ast.literal_eval(each) for each in texts] if isinstance(value, list) and len(texts) > len(value) else value


def _kind_of_caption(value: Any) -> str:
    value = _literal(value) if isinstance(value, str) else value
    if isinstance(value, dict):
        return f"an object of {first_few(value)}"
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list that is not of texts"}
    return names.get(type(value), type(value).__name__)


def _entry_in(row: Row, column: str, captions: list[str], where: str, values: dict[str, Any]) -> Entry:
    """Return the entry of a table's row, dropped with its reason where the row or its id cannot be used."""
    value = row.values.get(column)
    found = id_text(value)
    entry = Entry(found or "", captions, values, drop_reason=row.drop_reason, detail=row.detail, where=where)
    if found is None:
        entry.drop("bad_id", f"{where}: {value!r} in column {column!r} is no id")
    if not found:
        entry.drop("no_id", f"{where}: no value in column {column!r}")
    return entry


def corpus_seconds(value: Any) -> float | None:
    """Return the seconds of a number or of a time such as 00:01:02.50; None if it is neither, or has no end."""
    total = 0.0
    for part in str(value).split(":"):
        try:
            total = 60 * total + float(part)
        except ValueError:
            return None
    return total if math.isfinite(total) else None

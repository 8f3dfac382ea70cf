"""A HuggingFace dataset, by id or local folder, streamed.

    cvr import huggingface owner/name -o split=train -o id=video_id -o caption=caption
    cvr import huggingface my_dataset/ -o caption=sentence        # a folder of parquet, JSONL or CSV, or save_to_disk's

Rows that share an id are its captions. Needs the library `datasets`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvr_data.core.errors import CvrError, did_you_mean, first_line
from cvr_data.core.files import Row, column_names
from cvr_data.core.places import is_remote
from cvr_data.core.split_names import split_named_by_file
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import Published, corpus_entry_of_row, video_corpus

VERSION = 3
TINY = {"path": "charades", "id": "id", "caption": "script", "split": "train"}


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    path: Path
    """Id on the hub (owner/name), or a local folder."""
    name: str | None = None
    """Which configuration of the dataset."""
    split: str = "train"
    """Which split of the dataset."""
    id: str = "video_id"
    """Column of the id."""
    caption: str = "caption"
    """Column of the caption, or of a list of captions."""
    url: str | None = None
    """Column of the address."""


def _inputs(config: Config) -> dict[str, Path]:
    """Return the files it reads; none where the dataset is on the hub."""
    return {file.relative_to(config.path).as_posix(): file for file in _inputs_below(config.path)}


def _open(config: Config) -> Any:
    import datasets

    if is_remote(config.path):
        raise CvrError(f"{config.path}: name the dataset as USER/NAME of the hub, or a folder on a disk.")
    try:
        if (config.path / "dataset_dict.json").is_file():
            return datasets.load_from_disk(str(config.path))[config.split]
        if (config.path / "state.json").is_file():
            return datasets.load_from_disk(str(config.path))
        about = _as_texts(config.path)
        return datasets.load_dataset(config.path.as_posix(), config.name, split=config.split, streaming=True, **about)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise CvrError(f"{config.path}: cannot be opened as a dataset ({first_line(error)}).") from None


def _as_texts(folder: Path) -> dict[str, Any]:
    """Return how CSV of a local folder is read: every value as text, where `datasets` makes 7 of 007 and None of NA."""
    import datasets

    files = [path for path in _inputs_below(folder) if path.suffix.lower() in (".csv", ".jsonl", ".json", ".parquet")]
    if not files or any(path.suffix.lower() != ".csv" for path in files):
        return {}
    texts = {name: datasets.Value("string") for name in column_names(files[0])}
    return {"features": datasets.Features(texts), "keep_default_na": False}


def _inputs_below(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else []


def _entries(config: Config) -> Iterator[Entry]:
    for number, row in enumerate(_open(config), 1):
        for column in (config.id, config.caption, config.url):
            if column and column not in row:
                raise CvrError(f"{config.path}: column {column!r} is missing. {did_you_mean(column, row)}")
        values = {"url": row[config.url] if config.url else None, "split": split_named_by_file(config.split)}
        yield corpus_entry_of_row(Row(f"row {number}", row), config.id, config.caption, values)


inputs, count, load = video_corpus("huggingface", _inputs, _entries)

"""VATEX's captions: vatex_training_v1.0.json, vatex_validation_v1.0.json, vatex_public_test_english_v1.1.json.

    cvr import vatex vatex/ -o media=vatex/videos

The id is the YouTube id with two times. {train,val,test}_list.txt beside the JSON decide the split; a clip that they do
not name has the split of its file's name.

Source: Wang et al., ICCV 2019 (https://arxiv.org/abs/1904.03493). Captions CC BY 4.0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cvr_data.core.annotation_files import read_json
from cvr_data.core.errors import CvrError
from cvr_data.core.split_names import split_named_by_file
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import Published, corpus_entry, corpus_listed_splits, corpus_texts, file_corpus

VERSION = 3


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    path: Path = field(metadata={"output": False})
    """A JSON file, or the folder of them."""
    language: Literal["en", "zh"] = "en"
    """Which captions."""


def _entries(config: Config, path: Path) -> Iterator[Entry]:
    rows = read_json(path)
    if not isinstance(rows, list) or not any(isinstance(row, dict) and "videoID" in row for row in rows):
        raise CvrError(f"{path}: not VATEX's captions: expected a list of objects with videoID.")
    listed = corpus_listed_splits(path.parent)
    for number, row in enumerate(rows, 1):
        yield _entry(config, row if isinstance(row, dict) else {}, path, listed, number)


def _entry(config: Config, row: dict[str, Any], path: Path, listed: dict[str, str], number: int) -> Entry:
    captions = corpus_texts(row.get("enCap" if config.language == "en" else "chCap"))
    entry = corpus_entry(row.get("videoID"), captions, f"{path.name} row {number}")
    entry.values["split"] = listed.get(entry.video_id) or split_named_by_file(path.stem)
    recording, _, _ = entry.video_id.rpartition("_")[0].rpartition("_")
    entry.values["url"] = f"https://www.youtube.com/watch?v={recording}" if recording else None
    return entry


inputs, count, load = file_corpus("vatex", (".json",), _entries)

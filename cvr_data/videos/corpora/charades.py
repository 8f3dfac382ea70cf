"""Charades: Charades_v1_train.csv and Charades_v1_test.csv, one of FineCVR's sources.

    cvr import charades Charades/ -o media=Charades_v1_480

Captions are the descriptions that people wrote of the video, the long description is the script that it was acted from.
The split is told by the file's name.

Source: Sigurdsson et al., ECCV 2016 (https://arxiv.org/abs/1604.01753). Non-commercial use.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvr_data.core.files import Row
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import Published, entry_from, seconds, table_corpus, texts

VERSION = 1
COLUMNS = {"id", "script", "descriptions", "length"}


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    pass


def described(config: Any, row: Row, file: Path) -> Entry:
    """Return the video of a row."""
    captions = str(row.values.get("descriptions") or "").split(";")
    entry = entry_from(row, "id", texts(captions), file)
    entry.values["description"] = row.values.get("script")
    entry.values["duration_s"] = seconds(row.values.get("length"))
    return entry


inputs, count, load = table_corpus("charades", COLUMNS, described)

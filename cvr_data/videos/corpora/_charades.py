"""Rows of Charades' CSV, which Action Genome takes its captions from."""

from pathlib import Path
from typing import Any

from cvr_data.core.files import Row
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import entry_from, seconds, texts

COLUMNS = {"id", "script", "descriptions", "length"}


def described(config: Any, row: Row, file: Path) -> Entry:
    """Return the video of a row."""
    captions = str(row.values.get("descriptions") or "").split(";")
    entry = entry_from(row, "id", texts(captions), file)
    entry.values["description"] = row.values.get("script")
    entry.values["duration_s"] = seconds(row.values.get("length"))
    return entry

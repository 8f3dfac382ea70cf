"""Rows of Charades' CSV, which Action Genome takes its captions from."""

from pathlib import Path
from typing import Any

from cvr_data.core.files import Row
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import corpus_entry_from, corpus_seconds, corpus_texts

COLUMNS = {"id", "script", "descriptions", "length"}


def charades_video(config: Any, row: Row, file: Path) -> Entry:
    """Return the video of a row."""
    captions = str(row.values.get("descriptions") or "").split(";")
    entry = corpus_entry_from(row, "id", corpus_texts(captions), file)
    entry.values["description"] = row.values.get("script")
    entry.values["duration_s"] = corpus_seconds(row.values.get("length"))
    return entry

"""EPIC-KITCHENS-100: EPIC_100_train.csv and EPIC_100_validation.csv, one narrated action a row.

    cvr import epic-kitchens EPIC_100_train.csv -o media=EPIC-KITCHENS

The id is the narration_id. Clips are read from the recordings, <video_id>.MP4, or from files that were cut,
<narration_id>.mp4. The file's name tells the split.

Source: Damen et al., IJCV 2022 (https://arxiv.org/abs/2006.13256). CC BY-NC 4.0.
"""

from dataclasses import dataclass
from pathlib import Path

from cvr_data.core.files import Row
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import Published, corpus_entry_from, corpus_seconds, corpus_texts, table_corpus

VERSION = 2
COLUMNS = {"narration_id", "video_id", "start_timestamp", "stop_timestamp", "narration"}


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    media: Path | None = None
    """Folder of the media files, searched to any depth for <narration_id>.mp4, else <video_id>.MP4; default: captions
    only."""


def _entry(config: Config, row: Row, file: Path) -> Entry:
    entry = corpus_entry_from(row, "narration_id", corpus_texts(row.values.get("narration")), file)
    start_s, stop_s = (corpus_seconds(row.values.get(name)) for name in ("start_timestamp", "stop_timestamp"))
    if start_s is None or stop_s is None:
        entry.drop("bad_times", f"{file.name} row {row.number}: start_timestamp or stop_timestamp is no time")
    else:
        entry.of_recording(row.values.get("video_id"), start_s, stop_s)
        entry.values["duration_s"] = round(stop_s - start_s, 3)
    entry.values["licence"] = "CC BY-NC 4.0"
    return entry


inputs, count, load = table_corpus("epic-kitchens", COLUMNS, _entry)

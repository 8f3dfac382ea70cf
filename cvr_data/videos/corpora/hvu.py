"""HVU: HVU_Train_V1.0.csv and HVU_Val_V1.0.csv, tags instead of captions; one of FineCVR's sources.

    cvr import hvu HVU_Val_V1.0.csv -o media=hvu/videos

There is no caption, so the tags, comma-separated, stand in for one. The id is <YouTube id>_<start>_<end> with six
digits, as its downloader names files; a clip without such a file is read from <YouTube id>.mp4. The split is told by
the file's name.

Source: Diba et al., ECCV 2020 (https://arxiv.org/abs/1904.11451). Non-commercial use.
"""

from dataclasses import dataclass
from pathlib import Path

from cvr_data.core.files import Row
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import Published, corpus_entry_from, corpus_seconds, corpus_texts, table_corpus

VERSION = 2
COLUMNS = {"Tags", "youtube_id", "time_start", "time_end"}


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    pass


def _entry(config: Config, row: Row, file: Path) -> Entry:
    tags = corpus_texts(str(row.values.get("Tags") or "").split("|"))
    start_s, end_s = (corpus_seconds(row.values.get(name)) for name in ("time_start", "time_end"))
    entry = corpus_entry_from(row, "youtube_id", corpus_texts(", ".join(tag.replace("_", " ") for tag in tags)), file)
    if not entry.video_id:
        return entry
    if start_s is None or end_s is None:
        entry.drop("bad_times", f"{file.name} row {row.number}: time_start or time_end is no time")
        return entry
    entry.values["url"] = f"https://www.youtube.com/watch?v={entry.video_id}"
    entry.values["duration_s"] = end_s - start_s
    recording, entry.video_id = entry.video_id, f"{entry.video_id}_{int(start_s):06d}_{int(end_s):06d}"
    entry.of_recording(recording, start_s, end_s)
    return entry


inputs, count, load = table_corpus("hvu", COLUMNS, _entry)

"""EgoCVR's clips of Ego4D with their narrations: annotation/egocvr/egocvr_data.csv.

    cvr import egocvr egocvr_data.csv -o media=egocvr_clips

The camera wearer is "#C C" in Ego4D; by default that tag is taken off. Rows that share a clip are its captions. The
recording and the times are those of the clip's name; `media` holds <clip_name>.mp4, or Ego4D's own <video_uid>.mp4, of
which clips are read from their start to their end. All of it is for tests.

Source: Hummel et al., ECCV 2024 (https://arxiv.org/abs/2407.16658). Narrations under Ego4D's licence.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cvr_data.core.files import Row
from cvr_data.formats.egocvr import CLIPS
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import Published, corpus_entry_from, corpus_texts, table_corpus
from cvr_data.videos.recordings import recording_times_in_id

VERSION = 3
TINY = {"path": "egocvr/annotation/egocvr/egocvr_data.csv"}
_TAG = re.compile(r"^#[A-Z]\s+(?:[A-Z]\s+)?")


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    path: Path = field(metadata={"output": False})
    """The CSV file."""
    tags: Literal["drop", "keep"] = "drop"
    """Whether "#C C" stays in front of a narration."""
    media: Path | None = None
    """Folder of the media files, searched to any depth for <clip_name>.mp4, else <video_uid>.mp4; default: captions
    only."""


def _entry(config: Config, row: Row, file: Path) -> Entry:
    narration = str(row.values.get("narration_text") or "")
    if config.tags == "drop":
        narration = _TAG.sub("", narration)
    entry = corpus_entry_from(row, "clip_name", corpus_texts(narration), file)
    entry.of_recording(row.values.get("video_uid"), *recording_times_in_id(entry.video_id))
    entry.values["split"] = "test"
    return entry


inputs, count, load = table_corpus("egocvr", CLIPS, _entry)

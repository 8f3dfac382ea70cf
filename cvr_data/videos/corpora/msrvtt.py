"""MSR-VTT's captions: train_val_videodatainfo.json and test_videodatainfo.json, or the COCO-shaped MSR_VTT.json.

    cvr import msrvtt msrvtt/                        # every JSON, or zip of one, in the folder
    cvr import msrvtt MSR_VTT.json -o media=videos/all

Both shapes give the same videos: `sentences[]` name a `video_id`, `annotations[]` an `image_id`. The split is the one
of `videos[]` (train, validate, test); MSR_VTT.json tells none.

Source: Xu et al., CVPR 2016. Research use.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvr_data.core.annotation_files import read_json
from cvr_data.core.errors import CvrError
from cvr_data.media.clip import media_clip_times_fault
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import Published, corpus_entry, corpus_texts, file_corpus
from cvr_data.videos.recordings import youtube_video_id

VERSION = 3


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    path: Path = field(metadata={"output": False})
    """A JSON file, a zip with one, or the folder of them."""
    media: Path | None = None
    """Folder of the media files, searched to any depth for video7010.mp4; default: captions only."""


@dataclass(frozen=True)
class Content:
    """What a file of captions holds."""

    rows: list[Any]
    """Objects with a caption and, under `key`, the id of its video."""
    key: str
    videos: list[Any]
    """Objects with the split and address of a video; the COCO shape has none."""


def read_msrvtt_content(path: Path) -> Content:
    """Return what a JSON file, or a zip with one, holds. Raises CvrError: it cannot be read, or is of another shape."""
    content = read_json(path)
    shape = content if isinstance(content, dict) else {}
    rows, key = (shape["sentences"], "video_id") if "sentences" in shape else (shape.get("annotations"), "image_id")
    videos = shape.get("videos", [])
    if not isinstance(rows, list) or not isinstance(videos, list):
        raise CvrError(f"{path}: not MSR-VTT's captions: neither `sentences` nor `annotations` is a list.")
    return Content(rows, key, videos)


def _entries(config: Config, path: Path) -> Iterator[Entry]:
    content = read_msrvtt_content(path)
    known = {video.get("video_id"): video for video in content.videos if isinstance(video, dict)}
    for number, row in enumerate(content.rows, 1):
        yield _entry(row if isinstance(row, dict) else {}, content.key, known, f"{path.name} row {number}")


def _entry(row: dict[str, Any], key: str, known: dict[Any, dict[str, Any]], where: str) -> Entry:
    video = known.get(row.get(key), {}) if isinstance(row.get(key), str) else {}
    start, end, url = video.get("start time"), video.get("end time"), video.get("url")
    duration_s = round(end - start, 3) if isinstance(start, int | float) and isinstance(end, int | float) else None
    entry = corpus_entry(
        row.get(key),
        corpus_texts(row.get("caption")),
        where,
        url=url,
        duration_s=duration_s,
        split=video.get("split"),
    )
    is_timed = duration_s is not None and media_clip_times_fault(start, end) is None
    entry.of_recording(youtube_video_id(url), *((start, end) if is_timed else (None, None)))
    return entry


inputs, count, load = file_corpus("msrvtt", (".json", ".zip"), _entries)

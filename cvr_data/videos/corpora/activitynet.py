"""ActivityNet Captions: train.json, val_1.json and val_2.json, as paragraphs or as segments.

    cvr import activitynet activitynet/ -o media=activitynet/videos
    cvr import activitynet val_1.json -o unit=segment

A paragraph is all sentences of a video, as text-video retrieval takes them. A segment is one sentence, of id
v_abcdefghijk_<start>_<end> in seconds, read from the recording's file or one that was cut. The file's name tells the
split; the sentences that val_2.json adds to a video of val_1.json are one more caption of it.

Source: Krishna et al., ICCV 2017 (https://arxiv.org/abs/1705.00754). Research use.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cvr_data.core.annotation_files import read_json
from cvr_data.core.errors import CvrError
from cvr_data.core.split_names import split_named_by_file
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import Published, corpus_entry, corpus_texts, file_corpus

VERSION = 3


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    path: Path = field(metadata={"output": False})
    """A JSON file, or the folder of them."""
    unit: Literal["paragraph", "segment"] = "paragraph"
    """What is one video: a recording with all its sentences, or each sentence with its times."""


def _entries(config: Config, path: Path) -> Iterator[Entry]:
    content = read_json(path)
    if config.path.is_dir() and isinstance(content, list):
        return  # val_ids.json: names only
    if not isinstance(content, dict) or not any(
        isinstance(row, dict) and "sentences" in row for row in content.values()
    ):
        raise CvrError(f"{path}: not ActivityNet Captions: expected an object of id to duration and sentences.")
    for video_id, row in content.items():
        yield from _of_video(config, video_id, row if isinstance(row, dict) else {}, path)


def _of_video(config: Config, video_id: str, row: dict[str, Any], path: Path) -> Iterator[Entry]:
    where, split, seconds = f"{path.name} {video_id}", split_named_by_file(path.stem), row.get("duration")
    url = f"https://www.youtube.com/watch?v={video_id.removeprefix('v_')}"
    sentences, times = row.get("sentences"), row.get("timestamps")
    if config.unit == "paragraph":
        duration_s = float(seconds) if isinstance(seconds, int | float) else None
        captions = corpus_texts(" ".join(corpus_texts(sentences)))
        yield corpus_entry(
            video_id, captions, where, duration_s=duration_s, split=split, url=url, recording_id=video_id
        )
        return
    if not isinstance(sentences, list) or not isinstance(times, list) or len(sentences) != len(times):
        entry = corpus_entry(video_id, corpus_texts(sentences), where)
        entry.drop("bad_times", f"{where}: not one pair of times for each sentence")
        yield entry
        return
    for sentence, time in zip(sentences, times, strict=True):
        yield _segment(video_id, corpus_texts(sentence), time, where, {"split": split, "url": url})


def _segment(video_id: str, captions: list[str], time: Any, where: str, values: dict[str, Any]) -> Entry:
    if not (isinstance(time, list) and len(time) == 2 and all(isinstance(second, int | float) for second in time)):
        entry = corpus_entry(video_id, captions, where)
        entry.drop("bad_times", f"{where}: {time!r} is not a start and an end")
        return entry
    start_s, end_s = sorted(time)
    duration_s = round(end_s - start_s, 3)
    entry = corpus_entry(f"{video_id}_{start_s:g}_{end_s:g}", captions, where, duration_s=duration_s, **values)
    entry.of_recording(video_id, start_s, end_s)
    return entry


inputs, count, load = file_corpus("activitynet", (".json",), _entries)

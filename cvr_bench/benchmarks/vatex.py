"""VATEX: text-video retrieval over 10-second clips with 10 English captions each; every caption is a query.

The published protocol halves the 3,000 validation clips into 1,500 val and 1,500 test (Chen et al., HGR, CVPR 2020).

Paper: Wang et al., ICCV 2019 (https://arxiv.org/abs/1904.03493). Licence: CC BY 4.0. Files: vatex_validation_v1.0.json
from https://eric-xw.github.io/vatex-website/download.html and {val,test}_list.txt from
https://github.com/OpenGVLab/InternVideo (Downstream/Video-Text-Retrieval/data/VATEX).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.benchmarks._text_video import CaptionedVideos, TextVideo, captions_benchmark
from cvr_bench.tasks.text_video import Texts, listed_task_captions
from cvr_data.core.annotation_files import check_counts, find_annotation_file, read_json_entries, read_lines

LISTS = "https://github.com/OpenGVLab/InternVideo"
CAPTIONS = "https://eric-xw.github.io/vatex-website/download.html"
FILE, TRAINING_FILE = "vatex_validation_v1.0.json", "vatex_training_v1.0.json"
VIDEOS = {"test": 1500, "val": 1500, "train": 25_991}


@dataclass(frozen=True, kw_only=True)
class Config(TextVideo):
    annotations: Path
    """The folder that holds vatex_validation_v1.0.json and the lists."""
    split: Literal["test", "val"] = "test"
    """Which half of the validation clips is ranked."""
    texts: Texts = "captions"
    """What is ranked for a video: its captions one by one, or the sets of all captions of a clip, each by its best."""


EXAMPLE = {
    "": (4, 2),
    "direction=video-to-text": (2, 4),
    "direction=video-to-text texts=sets": (2, 2),
    "split=val": (2, 2),
}


def _files(config: Config, split: str) -> list[Path]:
    if split == "train":
        return [find_annotation_file(config.annotations, TRAINING_FILE, origin=CAPTIONS)]
    listing = find_annotation_file(config.annotations, f"{split}_list.txt", origin=LISTS)
    return [listing, find_annotation_file(config.annotations, FILE, origin=CAPTIONS)]


def _read(config: Config, split: str, paths: list[Path]) -> CaptionedVideos:
    *listings, path = paths
    captions = {entry["videoID"]: entry["enCap"] for entry in read_json_entries(path, ("videoID", "enCap"))}
    if not listings:
        check_counts(path, config.counts, {"videos": len(captions)}, {"videos": VIDEOS[split]})
        return CaptionedVideos(captions)
    video_ids = read_lines(listings[0])
    check_counts(listings[0], config.counts, {"videos": len(video_ids)}, {"videos": VIDEOS[split]})
    return CaptionedVideos(listed_task_captions(captions, video_ids, listing=listings[0], beside=FILE))


files, load, training_files, load_captions = captions_benchmark("vatex-{split}", _files, _read)

"""VATEX: text-video retrieval over 10-second clips with 10 English captions each; every caption is a query.

The published protocol halves the 3,000 validation clips into 1,500 val and 1,500 test (Chen et al., HGR, CVPR 2020).

Paper: Wang et al., ICCV 2019 (https://arxiv.org/abs/1904.03493). Licence: CC BY 4.0. Files: vatex_validation_v1.0.json
from https://eric-xw.github.io/vatex-website/download.html and {val,test}_list.txt from
https://github.com/OpenGVLab/InternVideo (Downstream/Video-Text-Retrieval/data/VATEX).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.tasks.task import Task
from cvr_bench.tasks.text_video import Direction, Texts, listed, text_video_task
from cvr_data.core.annotation_files import Counts, check_counts, find, read_entries, read_lines

LISTS = "https://github.com/OpenGVLab/InternVideo"
CAPTIONS = "https://eric-xw.github.io/vatex-website/download.html"
FILE, TRAINING_FILE = "vatex_validation_v1.0.json", "vatex_training_v1.0.json"
TRAINING_VIDEOS = 25_991


@dataclass(frozen=True, kw_only=True)
class Config:
    annotations: Path
    """The folder that holds vatex_validation_v1.0.json and the lists."""
    split: Literal["test", "val"] = "test"
    """Which half of the validation clips is ranked."""
    direction: Direction = "text-to-video"
    """What is ranked for what."""
    texts: Texts = "captions"
    """What is ranked for a video: its captions one by one, or the sets of all captions of a clip, each by its best."""
    counts: Counts = "published"
    """published: a list that is not whole is refused; any: it is taken as it is."""


EXAMPLE = {
    "": (4, 2),
    "direction=video-to-text": (2, 4),
    "direction=video-to-text texts=sets": (2, 2),
    "split=val": (2, 2),
}


def files(config: Config) -> list[Path]:
    """Return the list of the split and the captions.

    Raises:
        CvrError: one is missing.
    """
    listing = find(config.annotations, f"{config.split}_list.txt", origin=LISTS)
    return [listing, find(config.annotations, FILE, origin=CAPTIONS)]


def training_files(config: Config) -> list[Path]:
    """Return what `load_captions` reads.

    Raises:
        CvrError: a file is missing.
    """
    return [find(config.annotations, TRAINING_FILE, origin=CAPTIONS)]


def load_captions(config: Config) -> dict[str, list[str]]:
    """Return the captions of the training videos.

    Raises:
        CvrError: a file is missing, cannot be read or is not whole.
    """
    (path,) = training_files(config)
    captions = _captions(path)
    check_counts(path, config.counts, {"videos": len(captions)}, {"videos": TRAINING_VIDEOS})
    return captions


def load(config: Config) -> Task:
    """Return the task of one split and direction.

    Raises:
        CvrError: a file is missing, cannot be read or is not whole, or a listed video has no caption.
    """
    listing, path = files(config)
    video_ids = read_lines(listing)
    check_counts(listing, config.counts, {"videos": len(video_ids)}, {"videos": 1500})
    of_video = listed(_captions(path), video_ids, listing=listing, beside=FILE)
    return text_video_task(f"vatex-{config.split}", of_video, config.direction, "sentence", config.texts)


def _captions(path: Path) -> dict[str, list[str]]:
    return {entry["videoID"]: entry["enCap"] for entry in read_entries(path, ("videoID", "enCap"))}

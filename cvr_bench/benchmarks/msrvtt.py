"""MSR-VTT: text-video retrieval over short web videos, in both directions.

    1k-A    the 1,000 video-caption pairs of the JSFusion split, one caption per video: what most papers report
    full    the official test split, 2,990 videos with 20 captions each, every caption a query
    val     the official validation split, 497 videos
    7k, 9k  the training lists that go with 1k-A (7,010 and 9,000 videos); 9k overlaps full, neither overlaps 1k-A

1k-A repeats five of its captions, so exact ties are part of it.

Paper: Xu et al., CVPR 2016; splits of Yu et al., ECCV 2018 and Gabeur et al., ECCV 2020. Licence: research use.
Files: MSRVTT_JSFUSION_test.csv, MSRVTT_train.7k.csv, MSRVTT_train.9k.csv and MSRVTT_data.json (or the official
train_val_videodatainfo.json and test_videodatainfo.json, also zipped), from
https://github.com/ArrowLuo/CLIP4Clip/releases/tag/v0.0.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cvr_bench.benchmarks._text_video import TextVideo
from cvr_bench.tasks.task import Task
from cvr_bench.tasks.text_video import listed_task_captions, text_video_task
from cvr_data.core.annotation_files import check_counts, find_annotation_file
from cvr_data.core.errors import CvrError
from cvr_data.core.files import read_columns
from cvr_data.videos.corpora.msrvtt import read_msrvtt_content

ORIGIN = "https://github.com/ArrowLuo/CLIP4Clip/releases/tag/v0.0"
TEST_LIST = "MSRVTT_JSFUSION_test.csv"
TEST_COLUMNS = ("video_id", "sentence")
ALL = ("MSRVTT_data.json", "MSR_VTT.json")
TRAIN_LISTS = ("7k", "9k")
TRAIN_VAL = ("train_val_videodatainfo.json", "train_val_annotation.zip")
TEST = ("test_videodatainfo.json", "test_videodatainfo.json.zip")
CAPTIONS = {"full": [TEST], "val": [TRAIN_VAL], "7k": [TRAIN_VAL], "9k": [TRAIN_VAL, TEST]}
"""Split -> the official files that have its captions, each under any of its names."""
PUBLISHED = {
    "1k-A": {"videos": 1000, "captions": 1000},
    "full": {"videos": 2990, "captions": 59_800},
    "val": {"videos": 497, "captions": 9940},
    "7k": {"videos": 7010, "captions": 140_200},
    "9k": {"videos": 9000, "captions": 180_000},
}


@dataclass(frozen=True, kw_only=True)
class Config(TextVideo):
    annotations: Path
    """The folder that holds the files."""
    split: Literal["1k-A", "full", "val", "7k", "9k"] = "1k-A"
    """Which videos are ranked."""


EXAMPLE = {
    "": (3, 3),
    "direction=video-to-text": (3, 3),
    "split=full": (3, 2),
    "split=val": (3, 2),
    "split=9k": (4, 2),
    "split=7k": (4, 2),
}


def files(config: Config) -> list[Path]:
    """Return the list of the split, where it has one, and the files with its captions."""
    if config.split == "1k-A":
        return [find_annotation_file(config.annotations, TEST_LIST, origin=ORIGIN)]
    lists = [f"MSRVTT_train.{config.split}.csv"] if config.split in TRAIN_LISTS else []
    whole = [config.annotations / name for name in ALL if (config.annotations / name).is_file()]
    captions = whole[:1] or [
        find_annotation_file(config.annotations, *names, origin=ORIGIN) for names in CAPTIONS[config.split]
    ]
    return [find_annotation_file(config.annotations, name, origin=ORIGIN) for name in lists] + captions


def load(config: Config) -> Task:
    """Return the task of one split and direction."""
    captions = _captions(config)
    found = {"videos": len(captions), "captions": sum(len(texts) for texts in captions.values())}
    check_counts(config.annotations, config.counts, found, PUBLISHED[config.split])
    return text_video_task(f"msrvtt-{config.split}", captions, config.direction, "sentence")


def training_files(config: Config) -> list[Path]:
    """Return what `load_captions` reads: the training list, 9k where it is there, else 7k, and the captions."""
    return [*files(_training(config)), *files(config)]


def load_captions(config: Config) -> Mapping[str, Sequence[str]]:
    """Return the captions of the training videos, without those that are scored."""
    scored = _captions(config)
    captions = {name: texts for name, texts in _captions(_training(config)).items() if name not in scored}
    if not captions:
        raise CvrError(f"msrvtt: split {config.split} holds all training videos, so none is left; pass --train-data.")
    return captions


def _training(config: Config) -> Config:
    is_9k = (config.annotations / "MSRVTT_train.9k.csv").is_file()
    return replace(config, split="9k" if is_9k else "7k")


def _captions(config: Config) -> Mapping[str, Sequence[str]]:
    paths = files(config)
    if config.split == "1k-A":
        columns = read_columns(paths[0], TEST_COLUMNS, TEST_COLUMNS)
        return {video_id: [text] for video_id, text in zip(*columns.values(), strict=True)}
    contents = [read_msrvtt_content(path) for path in paths if path.suffix != ".csv"]
    of_video: dict[str, list[str]] = defaultdict(list)
    for content in contents:
        for row in content.rows:
            of_video[row[content.key]].append(row["caption"])
    if config.split in TRAIN_LISTS:
        video_ids = read_columns(paths[0], ["video_id"], ["video_id"])["video_id"]
    else:
        wanted = "test" if config.split == "full" else "validate"
        videos = [video for content in contents for video in content.videos]
        video_ids = [video["video_id"] for video in videos if video["split"] == wanted]
    return listed_task_captions(of_video, video_ids, listing=paths[0], beside="the files beside it")

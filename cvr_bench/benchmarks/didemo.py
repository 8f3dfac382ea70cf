"""DiDeMo: paragraph retrieval, all descriptions of a video as one text in the order of the file.

unit=sentence makes every description a query for its whole video instead. Videos are called by their file names, as the
list gives them. Descriptions of videos that the list does not name are left out and counted.

Paper: Hendricks et al., ICCV 2017 (https://arxiv.org/abs/1708.01641). Licence: BSD 2-Clause for the annotations; the
videos are Creative Commons. Files: test_data.json from https://github.com/LisaAnne/LocalizingMoments and test_list.txt
from https://github.com/OpenGVLab/InternVideo.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.tasks.task import Task
from cvr_bench.tasks.text_video import Direction, Unit, listed, paragraphs, text_video_task
from cvr_data.core.annotation_files import Counts, check_counts, find, read_entries, read_lines

DATA = "https://github.com/LisaAnne/LocalizingMoments"
LISTS = "https://github.com/OpenGVLab/InternVideo"
PUBLISHED = {"test": {"videos": 1004, "descriptions": 3932}, "val": {"videos": 1065}, "train": {"videos": 8392}}


@dataclass(frozen=True, kw_only=True)
class Config:
    annotations: Path
    """The folder that holds test_data.json and test_list.txt."""
    split: Literal["test", "val"] = "test"
    """Which videos are ranked."""
    unit: Unit = "paragraph"
    """paragraph: all descriptions of a video are one text; sentence: each is one."""
    direction: Direction = "text-to-video"
    """What is ranked for what."""
    counts: Counts = "published"
    """published: files that are not whole are refused; any: they are taken as they are."""


EXAMPLE = {"": (2, 2), "direction=video-to-text": (2, 2), "unit=sentence": (3, 2)}


def files(config: Config) -> list[Path]:
    """Return the descriptions and the list of videos.

    Raises:
        CvrError: one is missing.
    """
    return _files(config, config.split)


def training_files(config: Config) -> list[Path]:
    """Return what `load_captions` reads.

    Raises:
        CvrError: a file is missing.
    """
    return _files(config, "train")


def load_captions(config: Config) -> Mapping[str, Sequence[str]]:
    """Return the texts of the training videos, whole paragraphs where these are ranked.

    Raises:
        CvrError: a file is missing, cannot be read or is not whole, or a listed video has no description.
    """
    captions, _ = _captions(config, "train")
    return paragraphs(captions) if config.unit == "paragraph" else captions


def load(config: Config) -> Task:
    """Return the task of one split, unit and direction.

    Raises:
        CvrError: a file is missing, cannot be read or is not whole, or a listed video has no description.
    """
    captions, unlisted = _captions(config, config.split)
    task = text_video_task(f"didemo-{config.split}-{config.unit}", captions, config.direction, config.unit)
    left_out = {"descriptions of videos that are not listed": unlisted}
    return dataclasses.replace(task, left_out={what: count for what, count in left_out.items() if count})


def _files(config: Config, split: str) -> list[Path]:
    return [
        find(config.annotations, f"{split}_data.json", origin=DATA),
        find(config.annotations, f"{split}_list.txt", origin=LISTS),
    ]


def _captions(config: Config, split: str) -> tuple[Mapping[str, Sequence[str]], int]:
    """The descriptions of each listed video, and how many are of others."""
    data, listing = _files(config, split)
    entries = read_entries(data, ("video", "description"))
    texts_of: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        texts_of[entry["video"]].append(entry["description"].strip())
    captions = listed(texts_of, read_lines(listing), listing=listing, beside=data.name)
    kept = sum(len(texts) for texts in captions.values())
    check_counts(listing, config.counts, {"videos": len(captions), "descriptions": kept}, PUBLISHED[split])
    return captions, len(entries) - kept

"""LSMDC: text-video retrieval over movie clips, one sentence each; names of people are replaced by SOMEONE.

The files are tab-separated without header: clip, start and end (aligned), start and end (extracted), sentence. The test
is the 1,000 clips of the public challenge list, five of whose sentences are repeated, so exact ties are part of it.

Paper: Rohrbach et al., IJCV 2017 (https://arxiv.org/abs/1605.03705). Licence: an agreement with the authors; nothing
may be passed on. Files: https://sites.google.com/site/describingmovies/download.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.tasks.task import Task
from cvr_bench.tasks.text_video import Direction, text_video_task
from cvr_data.core.annotation_files import Counts, check_counts, find, find_only, read_tab_separated

ORIGIN = "https://sites.google.com/site/describingmovies/download"
FILES = {"test": "LSMDC16_challenge_1000_publictect.csv", "val": "LSMDC16_annos_val.csv"}
TRAINING_FILE = "LSMDC16_annos_training.csv"
PUBLISHED = {"test": {"clips": 1000}, "val": {"clips": 7408}, "train": {"clips": 101_079}}
CELLS = 6


@dataclass(frozen=True, kw_only=True)
class Config:
    annotations: Path
    """LSMDC16_challenge_1000_publictect.csv, or the folder that holds it."""
    split: Literal["test", "val"] = "test"
    """Which clips are ranked."""
    direction: Direction = "text-to-video"
    """What is ranked for what."""
    counts: Counts = "published"
    """published: a file that is not whole is refused; any: it is taken as it is."""


EXAMPLE = {"": (3, 3), "direction=video-to-text": (3, 3)}


def files(config: Config) -> list[Path]:
    """Return the file that `load` reads.

    Raises:
        CvrError: it is missing.
    """
    return [find_only(config.annotations, FILES[config.split], origin=ORIGIN)]


def training_files(config: Config) -> list[Path]:
    """Return what `load_captions` reads.

    Raises:
        CvrError: a file is missing.
    """
    folder = config.annotations.parent if config.annotations.is_file() else config.annotations
    return [find(folder, TRAINING_FILE, origin=ORIGIN)]


def load_captions(config: Config) -> dict[str, list[str]]:
    """Return the captions of the training videos.

    Raises:
        CvrError: a file is missing, cannot be read or is not whole.
    """
    return _captions(training_files(config)[0], config, "train")


def load(config: Config) -> Task:
    """Return the task of one split and direction.

    Raises:
        CvrError: the file is missing, cannot be read or is not whole.
    """
    (path,) = files(config)
    return text_video_task(f"lsmdc-{config.split}", _captions(path, config, config.split), config.direction, "sentence")


def _captions(path: Path, config: Config, split: str) -> dict[str, list[str]]:
    captions = {cells[0]: [cells[CELLS - 1]] for cells in read_tab_separated(path, CELLS)}
    check_counts(path, config.counts, {"clips": len(captions)}, PUBLISHED[split])
    return captions

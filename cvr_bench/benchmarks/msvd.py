"""MSVD: text-video retrieval over short web clips with about 40 captions each; every caption is a query.

The other direction ranks captions one by one, and a clip is found when its best caption is; texts=sets ranks the
caption sets of whole clips, as CLIP4Clip does, which gives the same R@1 and higher R@5 and R@10.

Paper: Chen and Dolan, ACL 2011. Licence: research use. Files: {train,val,test}_list.txt and raw-captions.pkl (of which
nothing but plain lists and strings is read), from https://github.com/ArrowLuo/CLIP4Clip/releases/tag/v0.0. The
published train list has 1,199 lines where papers say 1,200.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvr_bench.tasks.task import Task
from cvr_bench.tasks.text_video import Direction, Texts, listed, text_video_task
from cvr_data.core.annotation_files import Counts, check_counts, find, read_lines
from cvr_data.videos.corpora.msvd import read_pickle

ORIGIN = "https://github.com/ArrowLuo/CLIP4Clip/releases/tag/v0.0"
CAPTIONS = "raw-captions.pkl"
PUBLISHED = {"test": {"videos": 670}, "val": {"videos": 100}, "train": {"videos": 1200}}


@dataclass(frozen=True, kw_only=True)
class Config:
    annotations: Path
    """The folder that holds the lists and raw-captions.pkl."""
    split: Literal["test", "val"] = "test"
    """Which videos are ranked."""
    direction: Direction = "text-to-video"
    """What is ranked for what."""
    texts: Texts = "captions"
    """What is ranked for a video: its captions one by one, or the sets of all captions of a clip, each by its best."""
    counts: Counts = "published"
    """published: a list that is not whole is refused; any: it is taken as it is."""


EXAMPLE = {
    "": (6, 3),
    "direction=video-to-text": (3, 6),
    "direction=video-to-text texts=sets": (3, 3),
    "split=val": (2, 2),
}


def files(config: Config) -> list[Path]:
    """Return the list of the split and the captions.

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


def load_captions(config: Config) -> dict[str, list[str]]:
    """Return the captions of the training videos.

    Raises:
        CvrError: a file is missing, cannot be read or is not whole, or a listed video has no caption.
    """
    return _captions(config, "train")


def load(config: Config) -> Task:
    """Return the task of one split and direction.

    Raises:
        CvrError: a file is missing, cannot be read or is not whole, or a listed video has no caption.
    """
    of_video = _captions(config, config.split)
    return text_video_task(f"msvd-{config.split}", of_video, config.direction, "sentence", config.texts)


def _files(config: Config, split: str) -> list[Path]:
    return [find(config.annotations, name, origin=ORIGIN) for name in (f"{split}_list.txt", CAPTIONS)]


def _captions(config: Config, split: str) -> dict[str, list[str]]:
    listing, path = _files(config, split)
    video_ids = read_lines(listing)
    check_counts(listing, config.counts, {"videos": len(video_ids)}, PUBLISHED[split])
    captions = listed(read_pickle(path), video_ids, listing=listing, beside=CAPTIONS)
    return {video_id: [_text(words) for words in texts] for video_id, texts in captions.items()}


def _text(words: Any) -> str:
    return words if isinstance(words, str) else " ".join(words)

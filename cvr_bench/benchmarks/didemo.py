"""DiDeMo: paragraph retrieval, all descriptions of a video as one text in the order of the file.

unit=sentence makes every description a query for its whole video instead. Videos are called by their file names, as the
list gives them. Descriptions of videos that the list does not name are left out and counted.

Paper: Hendricks et al., ICCV 2017 (https://arxiv.org/abs/1708.01641). Licence: BSD 2-Clause for the annotations; the
videos are Creative Commons. Files: test_data.json from https://github.com/LisaAnne/LocalizingMoments and test_list.txt
from https://github.com/OpenGVLab/InternVideo.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.benchmarks._text_video import CaptionedVideos, TextVideo, captions_benchmark
from cvr_bench.tasks.text_video import Unit, listed_task_captions
from cvr_data.core.annotation_files import check_counts, find_annotation_file, read_json_entries, read_lines

DATA = "https://github.com/LisaAnne/LocalizingMoments"
LISTS = "https://github.com/OpenGVLab/InternVideo"
PUBLISHED = {"test": {"videos": 1004, "descriptions": 3932}, "val": {"videos": 1065}, "train": {"videos": 8392}}


@dataclass(frozen=True, kw_only=True)
class Config(TextVideo):
    annotations: Path
    """The folder that holds test_data.json and test_list.txt."""
    split: Literal["test", "val"] = "test"
    """Which videos are ranked."""
    unit: Unit = "paragraph"
    """paragraph: all descriptions of a video are one text; sentence: each is one."""


EXAMPLE = {"": (2, 2), "direction=video-to-text": (2, 2), "unit=sentence": (3, 2)}


def _files(config: Config, split: str) -> list[Path]:
    return [
        find_annotation_file(config.annotations, f"{split}_data.json", origin=DATA),
        find_annotation_file(config.annotations, f"{split}_list.txt", origin=LISTS),
    ]


def _read(config: Config, split: str, paths: list[Path]) -> CaptionedVideos:
    data, listing = paths
    entries = read_json_entries(data, ("video", "description"))
    texts_of: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        texts_of[entry["video"]].append(entry["description"].strip())
    captions = listed_task_captions(texts_of, read_lines(listing), listing=listing, beside=data.name)
    kept = sum(len(texts) for texts in captions.values())
    check_counts(listing, config.counts, {"videos": len(captions), "descriptions": kept}, PUBLISHED[split])
    unlisted = len(entries) - kept
    return CaptionedVideos(captions, {"descriptions of videos that are not listed": unlisted} if unlisted else {})


files, load, training_files, load_captions = captions_benchmark("didemo-{split}-{unit}", _files, _read)

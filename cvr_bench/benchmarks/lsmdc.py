"""LSMDC: text-video retrieval over movie clips, one sentence each; names of people are replaced by SOMEONE.

The files are tab-separated without header: clip, start and end (aligned), start and end (extracted), sentence. The test
is the 1,000 clips of the public challenge list, five of whose sentences are repeated, so exact ties are part of it.

Paper: Rohrbach et al., IJCV 2017 (https://arxiv.org/abs/1605.03705). Licence: an agreement with the authors; nothing
may be passed on. Files: https://sites.google.com/site/describingmovies/download.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.benchmarks._text_video import CaptionedVideos, TextVideo, captions_benchmark
from cvr_data.core.annotation_files import (
    check_counts,
    find_annotation_file,
    find_only_annotation_file,
    read_tab_separated,
)

ORIGIN = "https://sites.google.com/site/describingmovies/download"
FILES = {
    "test": "LSMDC16_challenge_1000_publictect.csv",
    "val": "LSMDC16_annos_val.csv",
    "train": "LSMDC16_annos_training.csv",
}
PUBLISHED = {"test": {"clips": 1000}, "val": {"clips": 7408}, "train": {"clips": 101_079}}
CELLS = 6


@dataclass(frozen=True, kw_only=True)
class Config(TextVideo):
    annotations: Path
    """LSMDC16_challenge_1000_publictect.csv, or the folder that holds it."""
    split: Literal["test", "val"] = "test"
    """Which clips are ranked."""


EXAMPLE = {"": (3, 3), "direction=video-to-text": (3, 3)}


def _files(config: Config, split: str) -> list[Path]:
    if split != "train":
        return [find_only_annotation_file(config.annotations, FILES[split], origin=ORIGIN)]
    folder = config.annotations.parent if config.annotations.is_file() else config.annotations
    return [find_annotation_file(folder, FILES[split], origin=ORIGIN)]


def _read(config: Config, split: str, paths: list[Path]) -> CaptionedVideos:
    (path,) = paths
    captions = {cells[0]: [cells[CELLS - 1]] for cells in read_tab_separated(path, CELLS)}
    check_counts(path, config.counts, {"clips": len(captions)}, PUBLISHED[split])
    return CaptionedVideos(captions)


files, load, training_files, load_captions = captions_benchmark("lsmdc-{split}", _files, _read)

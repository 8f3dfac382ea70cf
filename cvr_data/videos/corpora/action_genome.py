"""Action Genome: the Charades videos that its frame_list.txt names, with Charades' captions; a source of FineCVR.

    cvr import action-genome action-genome/ -o charades=Charades/ -o media=Charades_v1_480

Action Genome annotates frames and has no captions, so those of Charades are taken; a video that Charades does not
describe is dropped. The split is the one of Charades' file.

Source: Ji et al., CVPR 2020 (https://arxiv.org/abs/1912.06992). Non-commercial use.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cvr_data.core.errors import CvrError
from cvr_data.videos.corpora._charades import COLUMNS, charades_video
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import Published, checked_corpus_tables, corpus_files, corpus_table_rows, video_corpus

VERSION = 2
TINY = {"path": "action-genome", "charades": "charades"}


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    path: Path = field(metadata={"output": False})
    """frame_list.txt, or its folder."""
    charades: Path = field(metadata={"output": False})
    """Charades' CSV, or the folder of Charades_v1_train.csv and Charades_v1_test.csv."""


def _inputs(config: Config) -> dict[str, Path]:
    lists = {file.name: file for file in corpus_files(config.path, "frame_list.txt")}
    return {**checked_corpus_tables(config.charades, COLUMNS), **lists}


def _entries(config: Config) -> Iterator[Entry]:
    wanted: dict[str, None] = {}
    for path in corpus_files(config.path, "frame_list.txt"):
        lines = path.read_text(encoding="utf-8", errors="replace").split()
        wanted |= dict.fromkeys(line.partition(".mp4/")[0] for line in lines if ".mp4/" in line)
    if not wanted:
        raise CvrError(f"{config.path}: no line such as 001YG.mp4/000089.png.")
    for row, file in corpus_table_rows(config.charades, COLUMNS):
        entry = charades_video(config, row, file)
        if entry.video_id in wanted:
            del wanted[entry.video_id]
            yield entry
    for video_id in wanted:
        yield Entry(video_id, [], drop_reason="no_caption", detail=f"{video_id} is not in {config.charades}")


inputs, count, load = video_corpus("action-genome", _inputs, _entries)

"""LSMDC's clips with the sentence of each: LSMDC16_annos_training.csv, LSMDC16_challenge_1000_publictect.csv.

    cvr import lsmdc lsmdc/ -o media=lsmdc/videos

A line is a clip, without header, its cells parted by tabs. The clips of a film are one recording, which the clip's name
tells. The file's name tells the split, and the public challenge's clips are test.

Source: Rohrbach et al., IJCV 2017 (https://arxiv.org/abs/1605.03705). An agreement with the authors is needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cvr_data.core.annotation_files import read_tab_separated
from cvr_data.core.split_names import split_named_by_file
from cvr_data.videos.entries import Entry
from cvr_data.videos.published import Published, corpus_entry, corpus_texts, file_corpus

VERSION = 1
CELLS = 6
"""Clip, start and end twice, sentence."""


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    path: Path = field(metadata={"output": False})
    """A CSV file, or the folder of them."""


def _entries(config: Config, path: Path) -> Iterator[Entry]:
    split = split_named_by_file(path.stem) or ("test" if "challenge" in path.stem else None)
    for number, cells in enumerate(read_tab_separated(path, CELLS), 1):
        film = cells[0].rpartition("_")[0]
        where = f"{path.name} line {number}"
        yield corpus_entry(cells[0], corpus_texts(cells[CELLS - 1]), where, split=split, recording_id=film or None)


inputs, count, load = file_corpus("lsmdc", (".csv",), _entries)

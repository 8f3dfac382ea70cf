"""The videos of WebVid-CoVR's triplets, with their captions: webvid8m-covr_test.csv and its like.

    cvr import webvid-covr data/webvid-covr/webvid8m-covr_test.csv -o media=data/webvid-covr/videos

That is where `cvr download annotations webvid-covr` and `cvr download videos webvid-covr` put them. Each row names two
videos (pth1, pth2), perhaps with a caption each (txt1, txt2; of Dense-WebVid-CoVR descriptions); a video has the
captions that any row gives it, and the split of its file. `media` holds <id>.mp4, of CC-CoIR <id>.jpg or another
picture, with a folder for the part of the id before the slash; a video whose file is missing keeps an empty path, so
that what is there can be embedded and scored.

Source: Ventura et al., AAAI 2024 (https://huggingface.co/datasets/lucas-ventura/WebVid-CoVR).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path

import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.core.files import column_names, read_rows
from cvr_data.media.look import media_path_inside
from cvr_data.media.names import find_media_file, is_media_file
from cvr_data.videos.entries import Entry, video_tables
from cvr_data.videos.published import (
    Published,
    checked_corpus_tables,
    corpus_entry_from,
    corpus_table_files,
    corpus_texts,
    unknown_corpus_count,
)

VERSION = 1
IDS = {"pth1", "pth2"}
CAPTIONS = {"txt1", "txt2"}
_ENDS = ("1", "2")


@dataclass(frozen=True, kw_only=True)
class Config(Published):
    media: Path | None = None
    """Folder of the media files, <id>.mp4 or a picture; default: captions only."""


def inputs(config: Config) -> dict[str, Path]:
    """Return the tables by name. Raises CvrError: one is missing, empty, or lacks a column."""
    return checked_corpus_tables(config.path, IDS)


count = unknown_corpus_count


def load(config: Config, out: Path | None) -> Iterator[pa.Table]:
    """Return the videos in slices. Raises CvrError: `media` is no folder."""
    if config.media is not None and not config.media.is_dir():
        raise CvrError(f"{config.media}: no such folder of media.")
    return video_tables(_entries(config), "webvid-covr", config.repeated)


def _entries(config: Config) -> Iterator[Entry]:
    for file in corpus_table_files(config.path):
        texts = CAPTIONS & {*column_names(file)}
        for row in chain.from_iterable(read_rows(file, IDS | texts)):
            for end in _ENDS:
                captions = corpus_texts(row.values.get(f"txt{end}"))
                entry = corpus_entry_from(row, f"pth{end}", captions, file, needs_caption=f"txt{end}" in texts)
                entry.path = _file(config.media, entry.video_id) if config.media is not None else None
                yield entry


@lru_cache(maxsize=1_000_000)
def _file(media: Path, video_id: str) -> Path | None:
    """The file of a video, which many rows name, whatever its ending."""
    path = find_media_file(media_path_inside(media, video_id))
    return path if is_media_file(path) else None

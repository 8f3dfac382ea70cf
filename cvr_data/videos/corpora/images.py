"""A folder of images, to any depth; an image is a video of one frame.

    cvr import images cirr/dev                              # ids as CIRR and FashionIQ have them: names without suffix
    cvr import images val2014 -o ids=coco -o captions=captions_val2014.json

Without `captions` the images have none, which is all that a gallery needs. An image that gives no picture is dropped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pyarrow as pa

from cvr_data.core.annotation_files import read_json
from cvr_data.core.errors import CvrError
from cvr_data.media.look import media_files
from cvr_data.media.video import IMAGE_SUFFIXES
from cvr_data.videos.entries import Entry, video_tables
from cvr_data.videos.published import corpus_texts, unknown_corpus_count

VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Config:
    path: Path
    """The folder."""
    ids: Literal["cirr", "fashioniq", "cc3m", "coco", "path"] = "cirr"
    """cirr, fashioniq, cc3m: the name without suffix; coco: its number without zeros; path: the path in the folder."""
    captions: Path | None = field(default=None)
    """COCO's captions JSON: annotations[] with image_id and caption."""
    split: Literal["train", "val", "test"] | None = None
    """The split of all its images."""
    check: bool = True
    """Open every image."""


def inputs(config: Config) -> dict[str, Path]:
    """Return the files it reads. Raises CvrError: the folder or the captions are not there."""
    if not config.path.is_dir():
        raise CvrError(f"{config.path}: no such folder.")
    if config.captions is not None and not config.captions.is_file():
        raise CvrError(f"{config.captions}: no such file.")
    return {"captions": config.captions} if config.captions else {}


def media(config: Config) -> tuple[Path, list[str]]:
    return config.path, media_files(config.path)


count = unknown_corpus_count


def load(config: Config, out: Path | None) -> Iterator[pa.Table]:
    """Yield the images in slices. Raises CvrError: the captions are of another shape."""
    yield from video_tables(_entries(config), "images", "error")


def _entries(config: Config) -> Iterator[Entry]:
    captions = _captions(config.captions) if config.captions else {}
    for name in media_files(config.path):
        if Path(name).suffix.lower() not in IMAGE_SUFFIXES:
            continue
        image_id = _id(name, config.ids)
        entry = Entry(image_id, captions.get(image_id, []), {"split": config.split}, config.path / name)
        if not image_id:
            entry.drop("no_id", f"{name}: no number at the end of its name")
        if config.captions and not entry.captions:
            entry.drop("no_caption", f"{name}: no caption in {config.captions}")
        yield entry


def _id(name: str, rule: str) -> str:
    stem = Path(name).stem
    if rule == "path":
        return name
    number = stem.rpartition("_")[2]
    return stem if rule != "coco" else str(int(number)) if number.isdecimal() else ""


def _captions(path: Path) -> dict[str, list[str]]:
    content = read_json(path)
    rows = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(rows, list):
        raise CvrError(f"{path}: not COCO's captions: `annotations` is no list.")
    captions: dict[str, list[str]] = {}
    for row in rows:
        if isinstance(row, dict):
            captions.setdefault(str(row.get("image_id")), []).extend(corpus_texts(row.get("caption")))
    return captions

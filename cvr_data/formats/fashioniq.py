"""FashionIQ JSON: two relative captions per pair, by category, with the images of each split.

    captions/cap.{category}.{split}.json       [{"target": "B008", "candidate": "B005", "captions": ["...", "..."]}]
    image_splits/split.{category}.{split}.json ["B009...", ...]

The text of a triplet is both captions, joined by "and" in this order, as the reference code does; they also stay
apart, in the extra column `relative_captions`. A text of our own is written as one caption and an empty one. The
published test split hides its targets and is refused.

Two other sets give the same pairs one text, and `texts` reads them: Fine-FashionIQ (`finemt`) as lines of objects in
fiq.fine.{category}.{split}.jsonl, and M-FashionIQ (`mmt`, several changes in one text) in
cap.{category}.{split}.mmt.json.

Source: Wu et al., CVPR 2021 (https://github.com/XiaoxiaoGuo/fashion-iq); FineCIR (https://github.com/SDU-L/FineCIR), of
whose files an example was seen; TEMA (https://github.com/iLearn-Lab/ACL26-TEMA), whose files were not seen: names and
keys are those that its code reads.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.annotation_files import read_json, read_json_entries
from cvr_data.core.errors import CvrError
from cvr_data.formats import _rows
from cvr_data.formats._rows import OfSplits, Texts
from cvr_data.tables import SPLITS

KINDS = {"relative_captions": pa.list_(pa.string()), "category": pa.string()}
FILE_NAMES = {
    "published": re.compile(r"cap\.(?P<category>.+)\.(?P<split>train|val|test)\.json"),
    "fine": re.compile(r"fiq\.fine\.(?P<category>.+)\.(?P<split>train|val|test)\.jsonl?"),
    "multi": re.compile(r"cap\.(?P<category>.+)\.(?P<split>train|val|test)\.mmt\.json"),
}
KEYS = {"published": "captions", **_rows.OTHER_TEXTS}
"""Whose texts -> the key that they are under."""
FOLDERS = {"published": ("captions",), "fine": ("captions", "FineMT"), "multi": ("captions", "mmt_captions")}


@dataclass(frozen=True, kw_only=True)
class Config(OfSplits):
    category: str = ""
    """Read this category only; empty: all. Rows without one are written under it, or under `all`."""
    texts: Texts = "published"
    """Whose texts are read: FashionIQ's two captions, Fine-FashionIQ's text, or M-FashionIQ's."""


@dataclass(frozen=True)
class CaptionFile:
    """A file of captions, and what its name says."""

    path: Path
    category: str
    split: str

    @property
    def images(self) -> Path:
        """The file that lists the images of the same category and split."""
        return self.path.parent.parent / fashioniq_image_file(self.category, self.split)


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write captions and images of each category and split that has rows, and return the paths."""
    of_row = [category or config.category or "all" for category in _rows.format_column(triplets, "category")]
    categories = pa.array(of_row, pa.string())
    paths = []
    for category in sorted(set(of_row)):
        for split, rows in _rows.file_rows_by_split(triplets.filter(pc.equal(categories, category))):
            images = _rows.format_file_gallery(rows, _of_category(videos, category), split)
            captions = fashioniq_format_caption_files(category, split, "published")[0]
            paths += [
                _rows.write_format_json(out / captions, _fashioniq_entries(rows), indent=4),
                _rows.write_format_json(out / fashioniq_image_file(category, split), images, indent=4),
            ]
    return paths


def read(config: Config, path: Path) -> pa.Table:
    return _rows.concat_format_tables([_read_file(config, file) for file in _fashioniq_files(config, path)])


def read_videos(config: Config, path: Path) -> pa.Table:
    """Return the images of the categories and splits that `read` reads, where the folder lists them."""
    rows = [
        {"video_id": image_id, "split": file.split, "categories": [file.category]}
        for file in _fashioniq_files(config, path)
        if file.images.is_file()
        for image_id in read_fashioniq_format_images(file.images)
    ]
    return _rows.format_videos(rows, "fashioniq")


def read_fashioniq_format_images(path: Path) -> list[str]:
    """Return the images of a category and split, in the order of the file.

    Raises:
        CvrError: there is no such file, or it is no such JSON.
    """
    images = read_json(path, list)
    if bad := [image for image in images if not isinstance(image, str)]:
        raise CvrError(f"{path} should be a list of names, found {str(bad[0])[:80]!r}.")
    return images


def fashioniq_image_file(category: str, split: str) -> str:
    """Return where the images of a category and split are listed."""
    return f"image_splits/split.{category}.{split}.json"


def fashioniq_format_caption_files(category: str, split: str, texts: Texts) -> list[str]:
    """Return where the texts of a category and split may lie, the likeliest place first."""
    ends = ("jsonl", "json") if texts == "fine" else ("mmt.json",) if texts == "multi" else ("json",)
    start = "fiq.fine" if texts == "fine" else "cap"
    return [f"{folder}/{start}.{category}.{split}.{end}" for folder in FOLDERS[texts] for end in ends]


def fashioniq_format_categories(folder: Path, split: str, texts: Texts = "published") -> tuple[str, ...]:
    """Return the categories of which a folder has captions of the split, sorted."""
    return tuple(sorted({file.category for file in _listed_caption_files(folder, texts) if file.split == split}))


def joined_fashioniq_captions(captions: list[str]) -> str:
    """Return the text of two captions."""
    return " and ".join(caption for caption in captions if caption)


def _fashioniq_entries(rows: pa.Table) -> list[dict[str, Any]]:
    pairs = zip(rows.to_pylist(), _rows.format_column(rows, "relative_captions"), strict=True)
    return [
        {
            "target": row["target_id"],
            "candidate": row["reference_id"],
            "captions": captions or [row["modification"], ""],
        }
        for row, captions in pairs
    ]


def _of_category(videos: pa.Table | None, category: str) -> pa.Table | None:
    if videos is None or "categories" not in videos.column_names:
        return videos
    is_of_it = [category in (categories or ()) for categories in _rows.format_column(videos, "categories")]
    return videos.filter(pa.array(is_of_it, pa.bool_()))


def _fashioniq_files(config: Config, path: Path) -> list[CaptionFile]:
    files = [
        file
        for file in (
            _named_caption_file(path, config.texts) if path.is_file() else _listed_caption_files(path, config.texts)
        )
        if config.category in ("", file.category) and config.split in ("", file.split)
    ]
    if not files:
        wanted = fashioniq_format_caption_files(config.category or "*", config.split or "*", config.texts)
        raise CvrError(f"{path} is or holds no {' or '.join(wanted)}.")
    return files


def _listed_caption_files(folder: Path, texts: Texts) -> Iterator[CaptionFile]:
    for split in SPLITS:
        places = [folder / name for name in FOLDERS[texts]] + [folder]
        for path in sorted(file for place in places for file in place.glob(f"*.{split}.*")):
            yield from (file for file in _named_caption_file(path, texts) if file.split == split)


def _named_caption_file(path: Path, texts: Texts) -> Iterator[CaptionFile]:
    if (match := FILE_NAMES[texts].fullmatch(path.name)) is not None:
        yield CaptionFile(path, match["category"], match["split"])


def _read_file(config: Config, file: CaptionFile) -> pa.Table:
    key = KEYS[config.texts]
    entries = read_json_entries(file.path, ("candidate", key), ("target",))
    told = [entry[key] if config.texts == "published" else [entry[key], ""] for entry in entries]
    for place, captions in enumerate(told):
        if not isinstance(captions, list) or not all(isinstance(caption, str) for caption in captions):
            raise CvrError(f"{file.path}: entry {place}: {key!r} should be of texts, found {str(captions)[:80]}.")
    columns = {
        "reference_id": [entry["candidate"] for entry in entries],
        "target_id": [entry["target"] for entry in entries],
        "modification": [joined_fashioniq_captions(captions) for captions in told],
        "relative_captions": told,
        "category": [file.category] * len(entries),
    }
    return _rows.format_file_triplets(columns, where=file.path, split=file.split, style=config.style, kinds=KINDS)

"""FashionIQ: composed retrieval of product photographs by two captions of how they differ.

Each query is ranked against its own category (the slice `category`). avgR@10 and avgR@50, the paper's headline, count
the three categories the same; R@10 counts queries. The original gallery is the whole val split of the
category; the VAL gallery, which some papers use, is only the candidates and targets of its captions, and gives
higher numbers. A query's own reference is left out. The text is both captions joined with "and", in the order of the
file. Fine-FashionIQ and M-FashionIQ ask for the same targets in one other text (texts=fine, texts=multi); how many
queries they have is not checked, as none is published. Of the former an example was seen, of the latter only the code
that reads it.

Paper: Wu et al., CVPR 2021 (https://arxiv.org/abs/1905.12794); FineCIR (https://arxiv.org/abs/2503.21309), TEMA
(https://arxiv.org/abs/2604.21806). Licence: Community Data License Agreement.
Files: https://github.com/XiaoxiaoGuo/fashion-iq (captions, image_splits).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvr_bench.benchmarks._composed import OTHER_TEXTS, Counted
from cvr_bench.tasks.composed import QueryRow, composed_task, task_videos
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Mean, Task
from cvr_data.core.annotation_files import check_counts, find_annotation_file
from cvr_data.core.errors import CvrError
from cvr_data.formats import fashioniq as layout
from cvr_data.tables import content_id

ORIGIN = "https://github.com/XiaoxiaoGuo/fashion-iq"
CATEGORIES = ("dress", "shirt", "toptee")
KS = (10, 50)
OVER_CATEGORIES = {f"avgR@{k}": Mean((f"R@{k}",), over="category") for k in KS}
PUBLISHED = {
    "dress": {"queries": 2017, "images": 3817, "named images": 2628},
    "shirt": {"queries": 2038, "images": 6346, "named images": 3089},
    "toptee": {"queries": 1961, "images": 5373, "named images": 2902},
}


@dataclass(frozen=True, kw_only=True)
class Config(Counted):
    annotations: Path
    """The folder that holds captions/ and image_splits/."""
    category: Literal["all", "dress", "shirt", "toptee"] = "all"
    """all: the three, each in its own gallery, and their mean; or one alone."""
    gallery: Literal["original", "val"] = "original"
    """original: all images of the split; val: only those that the captions name."""
    order: Literal["given", "swapped"] = "given"
    """Order of the two captions in the text."""
    texts: layout.Texts = "published"
    """Whose texts ask: FashionIQ's own; fine: Fine-FashionIQ's; multi: M-FashionIQ's, several changes in one."""


EXAMPLE = {
    "": (9, 18),
    "category=dress": (3, 6),
    "category=shirt gallery=val": (3, 4),
    "category=toptee order=swapped": (3, 6),
    "category=dress texts=fine": (2, 6),
    "category=dress texts=multi": (2, 6),
}


@dataclass(frozen=True, kw_only=True)
class _Category:
    """The queries of one category, and the images that they are ranked against."""

    rows: Sequence[QueryRow]
    gallery: Sequence[str]


def files(config: Config) -> list[Path]:
    """Return the captions and the images of the val split of each category."""
    return [path for category in _categories(config) for path in _files(config, category)]


def load(config: Config) -> Task:
    """Return the task of one category, or of all."""
    parts = [_read(config, category) for category in _categories(config)]
    protocol = Protocol(
        gallery="listed" if config.gallery == "original" else "named",
        reference=config.reference,
        text_template=_template(config),
    )
    variant = "" if config.texts == "published" else f"-{config.texts}"
    name, rows = f"fashioniq-{config.category}{variant}", [row for part in parts for row in part.rows]
    if len(parts) == 1:
        return composed_task(name, rows, parts[0].gallery, protocol, ks=KS)
    gallery = list(dict.fromkeys(image for part in parts for image in part.gallery))
    candidates = {row.query_id: ranked for part in parts for ranked in [frozenset(part.gallery)] for row in part.rows}
    return composed_task(name, rows, gallery, protocol, ks=KS, candidates=candidates, means=OVER_CATEGORIES)


def _template(config: Config) -> str:
    if config.texts != "published":
        return "$modification"
    return "$caption_1 and $caption_2" if config.order == "given" else "$caption_2 and $caption_1"


def _categories(config: Config) -> tuple[str, ...]:
    """The three published categories, or those of a folder that has none of them."""
    if config.category != "all":
        return (config.category,)
    found = layout.fashioniq_format_categories(config.annotations, "val", config.texts)
    return CATEGORIES if not found or set(found) & set(CATEGORIES) else found


def _files(config: Config, category: str) -> list[Path]:
    captions = layout.fashioniq_format_caption_files(category, "val", config.texts)
    images = layout.fashioniq_image_file(category, "val")
    return [
        find_annotation_file(config.annotations, *captions, origin=OTHER_TEXTS.get(config.texts, ORIGIN)),
        find_annotation_file(config.annotations, images, origin=ORIGIN),
    ]


def _read(config: Config, category: str) -> _Category:
    captions, splits = _files(config, category)
    triplets, images = (
        layout.read(layout.Config(texts=config.texts), captions),
        layout.read_fashioniq_format_images(splits),
    )
    rows = [_row(row, config.order, captions) for row in triplets.to_pylist()]
    found = {"queries": len(rows), "images": len(images), "named images": len(task_videos(rows))}
    published = PUBLISHED.get(category, {})
    if config.texts != "published":
        published = {name: count for name, count in published.items() if name == "images"}
    check_counts(captions, config.counts, found, published)
    return _Category(rows=rows, gallery=images if config.gallery == "original" else task_videos(rows))


def _row(row: Mapping[str, Any], order: str, path: Path) -> QueryRow:
    reference_id, target_id, captions = row["reference_id"], row["target_id"], row["relative_captions"]
    if len(captions) != 2:
        raise CvrError(f"{path}: {reference_id} -> {target_id} has {len(captions)} captions, not 2.")
    both = captions if order == "given" else captions[::-1]
    # a text of ours is exported as one caption
    text = " and ".join(caption.strip() for caption in both) if captions[1] else captions[0].strip()
    query_id = content_id(row["category"], reference_id, target_id, *captions)
    return QueryRow(query_id, reference_id, text, (target_id,), slices={"category": row["category"]})

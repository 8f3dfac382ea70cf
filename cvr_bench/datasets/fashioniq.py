"""FashionIQ: composed retrieval of product photographs by two captions of how they differ.

The three categories are scored apart and their R@10 and R@50 averaged. The original gallery is the whole val split of
the category; the VAL gallery, which some papers use, is only the candidates and targets of its captions, and gives
higher numbers. A query's own reference is left out. The text is both captions joined with "and", in the order of the
file.

Paper: Wu et al., CVPR 2021 (https://arxiv.org/abs/1905.12794). Licence: Community Data License Agreement.
Files: https://github.com/XiaoxiaoGuo/fashion-iq (captions, image_splits).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvr_bench.datasets._composed import Reference, Row, composed_task, named_videos
from cvr_bench.datasets._files import Counts, check_counts, find, read_entries, read_json
from cvr_bench.protocol import Protocol
from cvr_bench.task import Task
from cvr_data.errors import CvrError
from cvr_data.tables import content_id

ORIGIN = "https://github.com/XiaoxiaoGuo/fashion-iq"
PUBLISHED = {
    "dress": {"queries": 2017, "images": 3817, "named images": 2628},
    "shirt": {"queries": 2038, "images": 6346, "named images": 3089},
    "toptee": {"queries": 1961, "images": 5373, "named images": 2902},
}


@dataclass(frozen=True, kw_only=True)
class Config:
    annotations: Path
    """The folder that holds captions/ and image_splits/."""
    category: Literal["dress", "shirt", "toptee"] = "dress"
    """Each is a benchmark of its own; papers average the three."""
    gallery: Literal["original", "val"] = "original"
    """original: all images of the split; val: only those that the captions name."""
    order: Literal["given", "swapped"] = "given"
    """Order of the two captions in the text."""
    reference: Reference = "exclude"
    """Whether a query's own reference is left out of its ranking, as published."""
    counts: Counts = "published"
    """published: files that are not whole are refused; any: they are taken as they are."""


TINY: tuple[dict[str, str], ...] = (
    {},
    {"category": "shirt", "gallery": "val"},
    {"category": "toptee", "order": "swapped"},
)


def files(config: Config) -> list[Path]:
    """Return the captions and the images of the category's val split.

    Raises:
        CvrError: one is missing.
    """
    names = (f"captions/cap.{config.category}.val.json", f"image_splits/split.{config.category}.val.json")
    return [find(config.annotations, name, origin=ORIGIN) for name in names]


def load(config: Config) -> Task:
    """Return the task of one category.

    Raises:
        CvrError: a file is missing, cannot be read or is not whole.
    """
    captions, splits = files(config)
    entries, images = read_entries(captions, ("candidate", "target", "captions")), read_json(splits)
    rows = [_row(entry, config.order, captions) for entry in entries]
    found = {"queries": len(rows), "images": len(images), "named images": len(named_videos(rows))}
    check_counts(captions, config.counts, found, PUBLISHED[config.category])
    is_original = config.gallery == "original"
    protocol = Protocol(
        gallery="listed" if is_original else "named",
        reference=config.reference,
        text_template="$caption_1 and $caption_2" if config.order == "given" else "$caption_2 and $caption_1",
    )
    name = f"fashioniq-{config.category}"
    return composed_task(name, rows, images if is_original else named_videos(rows), protocol, ks=(10, 50))


def _row(entry: Mapping[str, Any], order: str, path: Path) -> Row:
    captions = entry["captions"]
    if len(captions) != 2:
        raise CvrError(f"{path}: {entry['candidate']} -> {entry['target']} has {len(captions)} captions, not 2.")
    return Row(
        query_id=content_id(entry["candidate"], entry["target"], *captions),
        reference_id=entry["candidate"],
        modification=" and ".join(text.strip() for text in (captions if order == "given" else captions[::-1])),
        target_ids=(entry["target"],),
    )

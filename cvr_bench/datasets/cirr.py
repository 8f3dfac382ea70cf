"""CIRR: composed retrieval of everyday photographs, with a small set of look-alikes around each query.

The val gallery is the 2,297 images of the split file, without a query's own reference. Each query is also ranked
against the five other members of its set (R_sub@K); Avg, the paper's headline, is the mean of R@5 and R_sub@1.
gallery=subset ranks the sets alone. The released CoVR code ranks all NLVR2 dev images instead, which is not comparable.
The targets of test1 are the server's: `load_blind`, then `cvr_bench.submissions`.

Paper: Liu et al., ICCV 2021 (https://arxiv.org/abs/2108.04024). Licence: MIT for the annotations; the images are
NLVR2's. Files: https://github.com/Cuberick-Orion/CIRR/tree/cirr_dataset (captions, image_splits), version rc2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvr_bench.blind import BlindTask
from cvr_bench.datasets._composed import Reference, Row, composed_task, query_of, video_item
from cvr_bench.datasets._files import Counts, check_counts, find, read_entries, read_json
from cvr_bench.protocol import Protocol
from cvr_bench.task import Mean, Task
from cvr_data.errors import CvrError

ORIGIN = "https://github.com/Cuberick-Orion/CIRR/tree/cirr_dataset"
SUBSET_KS = (1, 2, 3)
AVERAGE = {"Avg": Mean(("R@5", "R_sub@1"))}
PUBLISHED = {"val": {"queries": 4181, "images": 2297}, "test1": {"queries": 4148, "images": 2315}}


@dataclass(frozen=True, kw_only=True)
class Config:
    annotations: Path
    """The folder that holds captions/ and image_splits/."""
    split: Literal["val", "test1"] = "val"
    """The split to score; test1 has no published targets."""
    gallery: Literal["listed", "subset"] = "listed"
    """listed: all images of the split; subset: the members of the query's set."""
    reference: Reference = "exclude"
    """Whether a query's own reference is left out of its ranking, as published."""
    counts: Counts = "published"
    """published: files that are not whole are refused; any: they are taken as they are."""


TINY: tuple[dict[str, str], ...] = ({}, {"gallery": "subset"})


def files(config: Config) -> list[Path]:
    """Return the captions and the images of the split.

    Raises:
        CvrError: one is missing.
    """
    names = (f"captions/cap.rc2.{config.split}.json", f"image_splits/split.rc2.{config.split}.json")
    return [find(config.annotations, name, origin=ORIGIN) for name in names]


def load(config: Config) -> Task:
    """Return the task.

    Raises:
        CvrError: a file is missing, cannot be read, has no targets or is not whole.
    """
    if config.split == "test1":
        raise CvrError("cirr: the targets of test1 are not published; its server scores it.")
    entries, images = _read(config, ("pairid", "reference", "caption", "img_set", "target_hard"))
    rows = [_row(entry, (entry["target_hard"],)) for entry in entries]
    members = _members(entries)
    if config.gallery == "subset":
        protocol = Protocol(gallery="candidates", reference=config.reference)
        return composed_task("cirr-val-subset", rows, images, protocol, ks=SUBSET_KS, candidates=members)
    protocol = Protocol(gallery="listed", reference=config.reference)
    return composed_task("cirr-val", rows, images, protocol, subset=members, subset_ks=SUBSET_KS, means=AVERAGE)


def load_blind(config: Config) -> BlindTask:
    """Return the queries and images of a split; targets are not looked at.

    Raises:
        CvrError: a file is missing, cannot be read or is not whole.
    """
    entries, images = _read(config, ("pairid", "reference", "caption", "img_set"))
    return BlindTask(
        name=f"cirr-{config.split}",
        queries=[query_of(_row(entry, ())) for entry in entries],
        gallery=[video_item(image_id) for image_id in images],
        candidates=_members(entries) if config.gallery == "subset" else None,
    )


def _read(config: Config, keys: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    captions, splits = files(config)
    entries, images = read_entries(captions, keys), list(read_json(splits))
    found = {"queries": len(entries), "images": len(images)}
    check_counts(captions, config.counts, found, PUBLISHED[config.split])
    return entries, images


def _row(entry: Mapping[str, Any], target_ids: tuple[str, ...]) -> Row:
    return Row(
        query_id=str(entry["pairid"]),
        reference_id=entry["reference"],
        modification=entry["caption"],
        target_ids=target_ids,
    )


def _members(entries: Sequence[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """Members of a query's set, its reference among them: the ranking leaves that out."""
    return {str(entry["pairid"]): frozenset(entry["img_set"]["members"]) for entry in entries}

"""CIRR: composed retrieval of everyday photographs, with a small set of look-alikes around each query.

The val gallery is the 2,297 images of the split file, without a query's own reference. Each query is also ranked
against the five other members of its set (R_sub@K); Avg, the paper's headline, is the mean of R@5 and R_sub@1.
gallery=subset ranks the sets alone. The released CoVR code ranks all NLVR2 dev images instead, which is not comparable.
The targets of test1 are the server's: `load_blind`, then `cvr_bench.submit.servers`. Fine-CIRR and M-CIRR ask for the
same targets in other texts (texts=fine, texts=multi); how many they have is not checked, as none is published. Of
Fine-CIRR an example was seen, of M-CIRR only the code that reads it; their files go beside the image_splits of CIRR.

Paper: Liu et al., ICCV 2021 (https://arxiv.org/abs/2108.04024); FineCIR (https://arxiv.org/abs/2503.21309), TEMA
(https://arxiv.org/abs/2604.21806). Licence: MIT for the annotations; the images are
NLVR2's. Files: https://github.com/Cuberick-Orion/CIRR/tree/cirr_dataset (captions, image_splits), version rc2.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from cvr_bench.benchmarks._composed import OTHER_TEXTS, Counted
from cvr_bench.tasks.composed import QueryRow, composed_task
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Mean, Task
from cvr_data.core.annotation_files import check_counts, find_annotation_file
from cvr_data.core.errors import CvrError
from cvr_data.formats import cirr as layout
from cvr_data.tables import QUERY_NUMBER

ORIGIN = "https://github.com/Cuberick-Orion/CIRR/tree/cirr_dataset"
SUBSET_KS = (1, 2, 3)
AVERAGE = {"Avg": Mean(("R@5", "R_sub@1"))}
PUBLISHED = {"val": {"queries": 4181, "images": 2297}, "test1": {"queries": 4148, "images": 2315}}


@dataclass(frozen=True, kw_only=True)
class Config(Counted):
    annotations: Path
    """The folder that holds captions/ and image_splits/."""
    split: Literal["val", "test1"] = "val"
    """The split to score; test1 has no published targets."""
    gallery: Literal["listed", "subset"] = "listed"
    """listed: all images of the split; subset: the members of the query's set."""
    texts: layout.Texts = "published"
    """Whose texts ask: CIRR's own; fine: Fine-CIRR's, one fine-grained change after the other; multi: M-CIRR's."""


EXAMPLE = {"": (3, 8), "gallery=subset": (3, 8), "texts=fine": (2, 8), "texts=multi": (2, 8)}


def files(config: Config) -> list[Path]:
    """Return the captions and the images of the split."""
    captions = layout.cirr_format_caption_files(config.split, config.texts)
    folders = ("image_splits", "mcirr/image_splits", "fine-cirr/image_splits")
    splits = [f"{folder}/split.rc2.{config.split}.json" for folder in folders]
    return [
        find_annotation_file(config.annotations, *captions, origin=OTHER_TEXTS.get(config.texts, ORIGIN)),
        find_annotation_file(config.annotations, *splits, origin=ORIGIN),
    ]


def load(config: Config) -> Task:
    if config.split == "test1":
        raise CvrError("cirr: the targets of test1 are not published; its server scores it.")
    captions, splits = files(config)
    triplets = layout.read(layout.Config(split="val", texts=config.texts), captions)
    images = _images(config, captions, splits, triplets)
    rows, members = _rows(triplets), _members(triplets)
    name = "cirr-val" if config.texts == "published" else f"cirr-val-{config.texts}"
    if config.gallery == "subset":
        protocol = Protocol(gallery="candidates", reference=config.reference)
        return composed_task(f"{name}-subset", rows, images, protocol, ks=SUBSET_KS, candidates=members)
    protocol = Protocol(gallery="listed", reference=config.reference)
    return composed_task(name, rows, images, protocol, subset=members, subset_ks=SUBSET_KS, means=AVERAGE)


def load_blind(config: Config) -> Task:
    """Return the queries and images of a split; targets are not looked at."""
    captions, splits = files(config)
    queries = layout.read_cirr_format_queries(captions, config.texts)
    images = _images(config, captions, splits, queries)
    is_subset = config.gallery == "subset"
    protocol = Protocol(gallery="candidates" if is_subset else "listed")
    members = _members(queries) if is_subset else None
    return composed_task(f"cirr-{config.split}", _rows(queries), images, protocol, candidates=members)


def _images(config: Config, captions: Path, splits: Path, queries: pa.Table) -> list[str]:
    images = list(layout.read_cirr_format_images(splits))
    found = {"queries": queries.num_rows, "images": len(images)}
    published = PUBLISHED[config.split]
    if config.texts != "published":
        published = {"images": published["images"]}
    check_counts(captions, config.counts, found, published)
    return images


def _rows(queries: pa.Table) -> list[QueryRow]:
    return [
        QueryRow(str(row[QUERY_NUMBER]), row["reference_id"], row["modification"], targets)
        for row in queries.to_pylist()
        for targets in [(row["target_id"],) if "target_id" in row else ()]
    ]


def _members(queries: pa.Table) -> dict[str, frozenset[str]]:
    """Members of a query's set, its reference among them: the ranking leaves that out."""
    pairs = zip(queries.column(QUERY_NUMBER).to_pylist(), queries.column("group_members").to_pylist(), strict=True)
    return {str(number): frozenset(members) for number, members in pairs}

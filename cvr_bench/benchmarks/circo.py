"""CIRCO: composed retrieval of COCO photographs where every correct image is annotated, scored by mAP@K.

The gallery is COCO's 123,403 unlabeled2017 images, as image_info_unlabeled2017.json lists them; gallery=named ranks
only the references and targets of the queries, for a quick look. The text is the relative caption alone. A query's own
reference is left out. The targets of test are the server's: `load_blind`, then `cvr_bench.submit.servers`.

Paper: Baldrati et al., ICCV 2023 (https://arxiv.org/abs/2303.15247). Licence: CC BY-NC 4.0 for the annotations.
Files: https://github.com/miccunifi/CIRCO (annotations), http://images.cocodataset.org/annotations/ for the image list.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvr_bench.benchmarks._composed import Counted
from cvr_bench.tasks.composed import QueryRow, composed_task, numbered_task_queries, task_video_item, task_videos
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import check_counts, find_annotation_file, read_json
from cvr_data.core.errors import CvrError
from cvr_data.formats import circo as layout
from cvr_data.tables import QUERY_NUMBER

ORIGIN = "https://github.com/miccunifi/CIRCO"
COCO = "http://images.cocodataset.org/annotations/image_info_unlabeled2017.zip"
IMAGES = "image_info_unlabeled2017.json"
LISTS = (IMAGES, f"COCO2017_unlabeled/annotations/{IMAGES}", f"annotations/{IMAGES}")
"""Where the list of images may lie."""
KS = (5, 10, 25, 50)
QUERIES = {"val": 220, "test": 800}
GALLERY = 123_403


@dataclass(frozen=True, kw_only=True)
class Config(Counted):
    annotations: Path
    """The folder that holds annotations/ and image_info_unlabeled2017.json."""
    split: Literal["val", "test"] = "val"
    """The split to score; test has no published targets."""
    gallery: Literal["coco", "named"] = "coco"
    """coco: all images, as published; named: those that the queries name."""


EXAMPLE = {"": (2, 8), "gallery=named": (2, 5)}


def files(config: Config) -> list[Path]:
    """Return the queries and, where it is ranked, the list of images."""
    queries = find_annotation_file(config.annotations, f"annotations/{config.split}.json", origin=ORIGIN)
    if config.gallery == "named":
        return [queries]
    return [queries, find_annotation_file(config.annotations, *LISTS, origin=f"{COCO}, or rank with gallery=named")]


def load(config: Config) -> Task:
    """Return the task; every semantic aspect is a slice."""
    if config.split == "test":
        raise CvrError("circo: the targets of test are not published; its server scores it.")
    path, *images = files(config)
    rows = [
        _row(first, targets) for first, targets in numbered_task_queries(layout.read(layout.Config(split="val"), path))
    ]
    _check_queries(config, path, len(rows))
    gallery = _image_ids(config, images[0]) if images else task_videos(rows)
    protocol = Protocol(gallery="listed" if images else "named", reference=config.reference)
    return composed_task("circo-val", rows, gallery, protocol, ks=KS, map_ks=KS)


def load_blind(config: Config) -> Task:
    """Return the queries of a split and all images of COCO; targets are not looked at."""
    images = files(config)[1:]
    if not images:
        raise CvrError("circo: a submission ranks all images; gallery=named is for a quick look at val.")
    gallery = [task_video_item(image_id) for image_id in _image_ids(config, images[0])]
    return dataclasses.replace(load_benchmark_queries(config), gallery=gallery)


def load_benchmark_queries(config: Config) -> Task:
    """Return the queries of a split without a gallery: enough to check the form of a submission.

    Raises:
        CvrError: the file is missing, cannot be read or is not whole.
    """
    (path,) = files(dataclasses.replace(config, gallery="named"))
    rows = [_row(row, ()) for row in layout.read_circo_format_queries(path).to_pylist()]
    _check_queries(config, path, len(rows))
    return composed_task(f"circo-{config.split}", rows, [], Protocol(gallery="listed"))


def benchmark_has_circo_images(config: Config) -> bool:
    """Return whether COCO's list of images is at hand."""
    return any((config.annotations / name).is_file() for name in LISTS)


def _check_queries(config: Config, path: Path, found: int) -> None:
    check_counts(path, config.counts, {"queries": found}, {"queries": QUERIES[config.split]})


def _row(row: Mapping[str, Any], target_ids: tuple[str, ...]) -> QueryRow:
    slices = dict.fromkeys(row["semantic_aspects"] or (), "yes")
    return QueryRow(str(row[QUERY_NUMBER]), row["reference_id"], row["modification"], target_ids, slices=slices)


def _image_ids(config: Config, path: Path) -> list[str]:
    content = read_json(path, dict)
    if "images" not in content:
        raise CvrError(f"{path} should hold an object with 'images'.")
    image_ids = [str(image["id"]) for image in content["images"]]
    check_counts(path, config.counts, {"images": len(image_ids)}, {"images": GALLERY})
    return image_ids

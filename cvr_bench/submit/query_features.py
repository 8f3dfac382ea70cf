"""BSE-CoVR's two steps: query features in files, then recalls of those files.

    out/  query_feat.npy  query_feat_txt_only.npy  gallery_feat.npy  ids.json  manifest.json
          recalls.json  recalls_txt_only.json

`query_feat_txt_only.npy` is the model given only its text: its reference video is a frame of zeros. Row i of a query
file is query i of `ids.json`, or of the benchmark's own file where there is no `ids.json`.

Source: test.py and evaluate_scores.py of BSE-CoVR, Thawakar et al., ICCV 2025 (https://arxiv.org/abs/2508.14039). Both
sides are scaled to unit length before they are multiplied, as there; equal scores rank before the target, as here.
"""

# Shapes: Q queries, G gallery items, D embedding.

import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_bench.audit.altered import Alteration, AlteredFeatures, audit_with_altered_features, blank_videos
from cvr_bench.models.parts.retriever import DenseRetriever
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.metrics import mean_recall, recall
from cvr_bench.tasks.task import Query, Task, part_of_task
from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.reading import read_array
from cvr_data.core.whole_files import json_bytes, write_bytes
from cvr_data.media.video import Video

STAGE = "encode-queries"
QUERIES, TEXT_ONLY, GALLERY, IDS = "query_feat.npy", "query_feat_txt_only.npy", "gallery_feat.npy", "ids.json"
RECALLS = {QUERIES: "recalls", TEXT_ONLY: "recalls_txt_only"}
"""File of query features -> how the file of its recalls is called."""
KS = (1, 5, 10, 50)
MEANS = {"meanR3": (1, 5, 10), "meanR4": KS}


@dataclass(frozen=True)
class Scored:
    """The recalls of one file of query features."""

    path: Path
    queries: int
    gallery: int
    recalls: Mapping[str, Any]


def encode_submitted_queries(
    retriever: DenseRetriever, features: AlteredFeatures, task: Task, writer: ArtifactWriter
) -> dict[str, tuple[int, ...]]:
    """Write the features of a task and return file -> shape.

    Raises:
        CvrError: the model cannot encode a query or an item.
    """
    text_only = audit_with_altered_features(retriever, features, Alteration(videos=blank_videos))
    assert isinstance(text_only, DenseRetriever)
    retriever.index(task.gallery)
    assert retriever.gallery_GD is not None
    arrays = {
        QUERIES: retriever.embed(task.queries),
        TEXT_ONLY: text_only.embed(task.queries),
        GALLERY: retriever.gallery_GD,
    }
    for name, array in arrays.items():
        writer.write_file(name, submitted_npy_bytes(array.numpy()))
    ids = {
        "task": task.name,
        "queries": [query.query_id for query in task.queries],
        "gallery": [item.item_id for item in task.gallery],
    }
    writer.write_file(IDS, json_bytes(ids))
    return {name: tuple(array.shape) for name, array in arrays.items()}


def score_submitted_features(folder: Path, task: Task, annotation: str, *, keep_self: bool = False) -> list[Scored]:
    """Write the recalls of each file of query features in a folder, and return them.

    `encode_submitted_queries` wrote the folder, or its rows are in the order of the benchmark's file, `annotation`,
    which the recalls name. With `keep_self` a query's own reference is ranked too, and the files are called
    ..._ss.json.

    Raises:
        CvrError: a file is missing, cannot be read, or has other queries or rows than the task.
    """
    if not (folder / QUERIES).is_file():
        raise CvrError(f"{folder} has no {QUERIES}; cvr encode-queries writes it.")
    gallery_GD = torch.from_numpy(read_submitted_features(folder / GALLERY))
    task = _task_of_encoded(task, _read_ids(folder))
    if keep_self:
        task = dataclasses.replace(task, protocol=dataclasses.replace(task.protocol, reference="keep"))
    found = []
    for name, stem in RECALLS.items():
        if (folder / name).is_file():
            recalls = {**_recalls_of_features(folder, name, gallery_GD, task), "annotation": annotation}
            path = folder / f"{stem}{'_ss' if keep_self else ''}.json"
            write_bytes(path, (json.dumps(recalls, indent=2) + "\n").encode())
            found.append(Scored(path, len(task.queries), len(task.gallery), recalls))
    return found


def _recalls_of_features(folder: Path, name: str, gallery_GD: Tensor, task: Task) -> dict[str, float]:
    queries_QD, ids = torch.from_numpy(read_submitted_features(folder / name)), _read_ids(folder)
    query_ids = ids["queries"] if ids else [query.query_id for query in task.queries]
    item_ids = ids["gallery"] if ids else [item.item_id for item in task.gallery]
    for file, rows, names, what in (
        (name, queries_QD, query_ids, "queries"),
        (GALLERY, gallery_GD, item_ids, "gallery items"),
    ):
        if len(rows) != len(names):
            raise CvrError(f"{folder / file} has {len(rows)} rows for {len(names)} {what}.")
    if queries_QD.shape[1] != gallery_GD.shape[1]:
        raise CvrError(f"{folder / name} is {queries_QD.shape[1]} wide, {GALLERY} {gallery_GD.shape[1]}.")
    ranks = evaluate(_stored_retriever(queries_QD, query_ids, gallery_GD, item_ids), task).rank
    values = {f"R{k}": recall(ranks, k) for k in KS} | {mean: mean_recall(ranks, ks) for mean, ks in MEANS.items()}
    return {key: round(value, 2) for key, value in values.items()}


def _stored_retriever(
    queries_QD: Tensor, query_ids: Sequence[str], gallery_GD: Tensor, item_ids: Sequence[str]
) -> DenseRetriever:
    row_of = {name: row for row, name in enumerate(query_ids)}
    column_of = {name: column for column, name in enumerate(item_ids)}
    unit_QD, unit_GD = F.normalize(queries_QD, dim=-1), F.normalize(gallery_GD, dim=-1)

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        return unit_QD[[row_of[query.query_id] for query in queries]]

    def encode_videos(videos: Sequence[Video]) -> Tensor:
        return unit_GD[[column_of[video.video_id] for video in videos]]

    return DenseRetriever(encode_queries, encode_videos)


def _task_of_encoded(task: Task, ids: Mapping[str, Sequence[str]] | None) -> Task:
    """The task of the queries and items that were encoded."""
    if ids is None:
        return task
    known = {query.query_id for query in task.queries}
    if unknown := [name for name in ids["queries"] if name not in known]:
        raise CvrError(f"{task.name} has no query {first_few(unknown)}; {IDS} is of {ids['task']}.")
    names, items = set(ids["queries"]), set(ids["gallery"])
    queries = [query for query in task.queries if query.query_id in names]
    if lost := [query.query_id for query in queries if task.targets[query.query_id].isdisjoint(items)]:
        raise CvrError(f"{IDS} lists no target of query {first_few(lost)}.")
    return part_of_task(task, queries, items)


def _read_ids(folder: Path) -> dict[str, Any] | None:
    path = folder / IDS
    if (folder / MANIFEST).exists():
        open_artifact(folder)
    if not path.is_file():
        return None
    ids = read_json(path)
    try:
        return {"task": ids["task"], "queries": list(ids["queries"]), "gallery": list(ids["gallery"])}
    except (KeyError, TypeError):
        raise CvrError(
            f"{path} should hold an object with task, queries and gallery, as cvr encode-queries writes it."
        ) from None


def read_submitted_features(path: Path) -> np.ndarray:
    """Return the rows of an .npy file, float32.

    Raises:
        CvrError: it is missing, or holds anything but finite rows of numbers.
    """
    array = read_array(path)
    if array.ndim != 2:
        raise CvrError(f"{path} should hold rows of numbers, got {array.shape}.")
    rows = array.astype(np.float32)
    if not np.isfinite(rows).all():
        raise CvrError(
            f"{path}: row {first_few(np.flatnonzero(~np.isfinite(rows).all(axis=1)).tolist())} is not finite."
        )
    return rows


def submitted_npy_bytes(rows: np.ndarray) -> bytes:
    """Return the rows as the bytes of an .npy file, float32."""
    buffer = io.BytesIO()
    np.save(buffer, rows.astype(np.float32))
    return buffer.getvalue()

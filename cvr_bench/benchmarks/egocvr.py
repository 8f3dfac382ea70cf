"""EgoCVR: composed retrieval of egocentric clips, most of whose modification texts change what is done.

global ranks every clip of egocvr_data.csv. local ranks, for each query, the clips that the published gallery file lists
(egocvr_annotations_gallery.csv, about 6 each); same-video needs no such file and ranks all clips of the same long video
(21 on average), which is harder than what is published. A query's own reference is left out, also where it is listed as
a target. Queries with fewer than two clips to rank are left out and counted, as in the released code.

Paper: Hummel et al., ECCV 2024 (https://arxiv.org/abs/2407.16658). Licence: MIT for the repository; narrations and
videos are Ego4D's. Files: https://github.com/ExplainableML/EgoCVR (annotation/egocvr), gallery file in its README.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cvr_bench.benchmarks._composed import Counted
from cvr_bench.tasks.composed import QueryRow, composed_task, numbered_task_queries
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Task
from cvr_data.core.annotation_files import check_counts, find_annotation_file
from cvr_data.core.errors import CvrError, first_few
from cvr_data.formats import egocvr as layout
from cvr_data.formats.egocvr import ListedClip
from cvr_data.tables import content_id

ORIGIN = "https://github.com/ExplainableML/EgoCVR"
LEAST = 2
"""Clips to rank that a query needs."""
PUBLISHED = {"queries": 2295, "clips": 10666}
TEXTS = {"instruction": "modification", "modified-caption": "modified_captions", "target-narration": "target_caption"}
"""Option -> column of the triplets."""


@dataclass(frozen=True, kw_only=True)
class Config(Counted):
    annotations: Path
    """The folder annotation/egocvr, or the repository that holds it."""
    gallery: Literal["global", "local", "same-video"] = "global"
    """What each query is ranked against; local needs egocvr_annotations_gallery.csv."""
    text: Literal["instruction", "modified-caption", "target-narration"] = "instruction"
    """What the model reads: the modification text, TF-CVR's rewritten caption, or what is done in the target (a bound,
    because it looks at the answer)."""


EXAMPLE = {"": (3, 8), "gallery=local": (3, 8), "gallery=same-video text=modified-caption": (3, 8)}


def files(config: Config) -> list[Path]:
    """Return the annotations, or the gallery file that repeats them, and the list of clips."""
    if config.gallery == "local":
        name = layout.egocvr_format_file("annotations_gallery")
        origin = f"the link in the README of {ORIGIN}, or rank with gallery=same-video"
    else:
        name, origin = layout.egocvr_format_file("annotations"), ORIGIN
    return [
        find_annotation_file(config.annotations, f"{layout.FOLDER}/{name}", origin=origin),
        find_annotation_file(config.annotations, f"{layout.FOLDER}/{layout.egocvr_format_file('data')}", origin=ORIGIN),
    ]


def load(config: Config) -> Task:
    annotations, clips = files(config)
    listed = layout.read_egocvr_format_clips(clips)
    gallery = list(dict.fromkeys(clip.name for clip in listed))
    triplets = layout.read(layout.Config(split="test"), annotations)
    rows = [_row(first, TEXTS[config.text], targets) for first, targets in numbered_task_queries(triplets)]
    check_counts(annotations, config.counts, {"queries": len(rows), "clips": len(gallery)}, PUBLISHED)
    candidates = None
    if config.gallery == "local":
        candidates = _listed_candidates(rows, listed, annotations)
    elif config.gallery == "same-video":
        candidates = _clips_of_same_video(rows, listed)
    large = [row for row in rows if candidates is None or len(candidates[row.query_id] - {row.reference_id}) >= LEAST]
    protocol = Protocol(
        gallery="listed" if candidates is None else "candidates",
        reference=config.reference,
        text_template="$modification" if config.text == "instruction" else f"${config.text.replace('-', '_')}",
    )
    return composed_task(
        f"egocvr-{config.gallery}",
        large,
        gallery,
        protocol,
        ks=(1, 5, 10) if candidates is None else (1, 2, 3),
        candidates=candidates,
        left_out={f"queries with fewer than {LEAST} clips to rank": len(rows) - len(large)},
    )


def _row(row: Mapping[str, Any], text: str, target_ids: tuple[str, ...]) -> QueryRow:
    query_id = content_id(row["reference_id"], row["modification"], *sorted(target_ids))
    return QueryRow(query_id, row["reference_id"], (row[text] or "").strip(), target_ids, row["reference_caption"])


def _listed_candidates(rows: Sequence[QueryRow], listed: Sequence[ListedClip], path: Path) -> dict[str, frozenset[str]]:
    """What `local_idx` lists; that the targets are in it shows that its numbers are lines of the list of clips."""
    candidates = {}
    for numbers, row in zip(layout.read_egocvr_format_local(path), rows, strict=True):
        beyond = [number for number in numbers if not 0 <= number < len(listed)]
        if beyond:
            raise CvrError(f"{path}: local_idx {first_few(beyond)} is no line of egocvr_data.csv.")
        candidates[row.query_id] = frozenset(listed[number].name for number in numbers)
    lost = [row.reference_id for row in rows if not candidates[row.query_id].issuperset(row.target_ids)]
    if lost:
        raise CvrError(f"{path}: local_idx of {first_few(lost)} lacks a target; egocvr_data.csv has another order.")
    return candidates


def _clips_of_same_video(rows: Sequence[QueryRow], listed: Sequence[ListedClip]) -> dict[str, frozenset[str]]:
    video_of = {clip.name: clip.video_uid for clip in listed}
    clips_of: dict[str, set[str]] = defaultdict(set)
    for clip_name, video_uid in video_of.items():
        clips_of[video_uid].add(clip_name)
    return {row.query_id: frozenset(clips_of[video_of[row.reference_id]]) for row in rows}

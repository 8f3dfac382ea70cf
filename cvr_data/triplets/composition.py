"""Which queries need both their inputs: where a target stands by the text alone and by the reference alone.

    flow = triplets_with_composition(run, triplets, folders, config)    # text_rank, visual_rank, both_rank, composition

The pool of `features.single_input_pool` is asked for every query of val and test, over the videos of its split: for
those a rank is what a recall will say. What one input alone has among the K best is dropped.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import mark
from cvr_data.core.parts import artifact_bucket_table
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import ByColumn, KeyedStep, Step
from cvr_data.features.pool_queries import GALLERY_COLUMNS, feature_pool_queries
from cvr_data.features.single_inputs import (
    LABELS,
    SHORTCUTS,
    merged_similarity_ranks,
    similarity_chance_shares,
    similarity_composition_labels,
    similarity_pool_k,
)
from cvr_data.triplets.answers import JUDGED_SPLITS
from cvr_data.triplets.joining import triplet_distractors

COLUMNS = ("text_rank", "visual_rank", "both_rank")
PLAIN = "is_plain"
"""Of a gallery's video: whether it would be there without distractors; K is a share of those."""
NOT_ASKED = "not_asked"
"""Queries whose reference or targets have no features, or are not in the gallery: they are kept, and told."""


@dataclass(frozen=True, kw_only=True)
class CompositionConfig:
    """What is asked of queries."""

    embeddings: Path
    k: int = 0
    """Of the K best; 0 is one in a hundred of the gallery, and at least 1."""
    default_split: str = "train"
    joining: tuple[tuple[str, str], ...] = ()
    """Distractors, each with the split whose gallery it joins."""


def triplets_with_composition(
    run: StageRun, triplets: Flow, folders: Sequence[Path], config: CompositionConfig, distractors: Sequence[Path] = ()
) -> Flow:
    """Return the triplets with ranks by one input and by both, those that one input solves dropped.

    Args:
        run: of the stage that asks.
        triplets: rows of all splits.
        folders: the videos.
        config: what is asked.
        distractors: folders of mined ones, that join the galleries.

    Raises:
        CvrError: a folder of distractors is none, or its videos are gone.
    """
    joining, others = triplet_distractors(distractors)
    config = replace(config, joining=joining)
    own = {folder.resolve(): folder for folder in folders}
    pools = {folder.resolve(): folder for folder in others if folder.resolve() not in own}
    columns = (*GALLERY_COLUMNS, "split")
    flows = [
        run.read(folder, columns, ["video_id", "captions"]).then(
            Step(name="gallery", run=rows_of, config=config, makes_rows=True, is_counted=False)
        )
        for rows_of, found in ((_gallery_rows, own), (_joining_rows, pools))
        for folder in found.values()
    ]
    gathered = run.meet(
        flows, KeyedStep(name="gallery", run=_once, key=ByColumn("video_id"), makes_rows=True, is_counted=False)
    )
    side = run.side(gathered, artifact_bucket_table)
    return run.meet(
        [triplets],
        KeyedStep(
            name="composition",
            run=label_triplet_composition,
            key=ByColumn("reference_id"),
            config=config,
            sides=(side,),
            tells=True,
        ),
    )


def _gallery_rows(config: CompositionConfig, videos: pa.Table) -> pa.Table:
    """A row for each video of a judged split, and one for each gallery that it joins as a distractor."""
    split = videos.column("split") if "split" in videos.column_names else pa.nulls(videos.num_rows, pa.string())
    split = pc.fill_null(split, config.default_split)
    is_judged = pc.is_in(split, pa.array(JUDGED_SPLITS))
    plain = _in_gallery(videos.filter(is_judged), split.filter(is_judged), is_plain=True)
    return pa.concat_tables([plain, _joining_rows(config, videos)])


def _joining_rows(config: CompositionConfig, videos: pa.Table) -> pa.Table:
    """A row for each gallery that a video joins; the others of a folder that distractors were chosen from stay out."""
    tables = []
    for name in JUDGED_SPLITS:
        ids = pa.array([video for video, split in config.joining if split == name], pa.string())
        joining = videos.filter(pc.is_in(videos.column("video_id"), ids))
        tables.append(_in_gallery(joining, pa.array([name] * joining.num_rows, pa.string()), is_plain=False))
    return pa.concat_tables(tables)


def _in_gallery(videos: pa.Table, split: pa.Array | pa.ChunkedArray, *, is_plain: bool) -> pa.Table:
    rows = videos.select([name for name in GALLERY_COLUMNS if name in videos.column_names])
    return rows.append_column("split", split).append_column(PLAIN, pa.array([is_plain] * rows.num_rows, pa.bool_()))


def _once(config: Any, videos: pa.Table) -> pa.Table:
    """Each video of a gallery once: one that is there anyway joins it no more."""
    videos = videos.take(pa.array(np.argsort(~videos.column(PLAIN).to_numpy(), kind="stable")))
    of = pc.binary_join_element_wise(videos.column("split"), videos.column("video_id"), " ")
    _, first = np.unique(of.to_numpy(), return_index=True)
    return videos.take(pa.array(np.sort(first)))


def label_triplet_composition(
    config: CompositionConfig, triplets: pa.Table, gallery: pa.Table
) -> tuple[pa.Table, dict[str, int]]:
    """Return the triplets with their ranks and `composition`, null of what is not asked, and counts by split."""
    found: dict[str, dict[str, Any]] = {}
    told: Counter[str] = Counter()
    for split in JUDGED_SPLITS:
        rows = triplets.filter(pc.equal(triplets.column("split"), split))
        videos = gallery.filter(pc.equal(gallery.column("split"), split)).sort_by("video_id")
        labels, chance = _labels(config, rows, videos) if rows.num_rows and videos.num_rows else ({}, {})
        told[f"{split} {NOT_ASKED}"] += len(set(rows.column("query_id").to_pylist()) - labels.keys())
        if labels:
            found |= labels
            told.update({f"{split} chance {label}": round(1000 * count) for label, count in chance.items()})
            told.update(_counts(split, rows, labels))
    ids = triplets.column("query_id").to_pylist()
    for name in COLUMNS:
        triplets = triplets.append_column(name, pa.array([found.get(query, {}).get(name) for query in ids], pa.int64()))
    labels_of_rows = pa.array([found.get(query, {}).get("composition") for query in ids], pa.string())
    triplets = triplets.append_column("composition", labels_of_rows)
    for label in SHORTCUTS:
        triplets = mark(triplets, pc.equal(triplets.column("composition"), label), label)
    return triplets, dict(told)


def _labels(
    config: CompositionConfig, rows: pa.Table, videos: pa.Table
) -> tuple[dict[str, dict[str, Any]], dict[str, float]]:
    """Return query -> ranks and label, of those that features let ask, and how many would have each label by chance."""
    from cvr_data.features.single_input_pool import SingleInputPool

    pool = SingleInputPool(config.embeddings, videos)
    k = config.k or similarity_pool_k(pc.sum(pool.videos.column(PLAIN)).as_py() or 0)
    asked = {name: query for name, query in feature_pool_queries(rows).items() if pool.can_ask(query)}
    if not asked:
        return {}, {}
    merged = merged_similarity_ranks(pool.ranks(list(asked.values())))
    labels = similarity_composition_labels(merged, k)
    chance = similarity_chance_shares(pool.rankings, *pool.sizes(list(asked.values())), k)
    return {
        name: {**dict(zip(COLUMNS, map(int, each), strict=True)), "composition": label}
        for name, label, *each in zip(asked, labels, *merged, strict=True)
    }, chance


def _counts(split: str, rows: pa.Table, labels: Mapping[str, Mapping[str, Any]]) -> Counter[str]:
    """How many queries have each label, by slot as well, and how many pairs they were made of."""
    of_queries = {query: found["composition"] for query, found in labels.items()}
    told = Counter(f"{split} {label}" for label in of_queries.values())
    told[f"{split} pairs"] = len({*rows.column("pair_id").to_pylist()} - {None})
    for slot, (before, after) in triplet_labels_by_slot(of_queries, rows).items():
        told.update({f"{split} before slot {slot}": before, f"{split} after slot {slot}": after})
    return told


def triplet_labels_by_slot(labels: Mapping[str, str], rows: pa.Table) -> dict[str, list[int]]:
    """Return, by slot of a change, how many queries there are, and how many without the shortcuts."""
    counts: dict[str, list[int]] = {}
    seen: set[str] = set()
    for query, listed in zip(*(rows.column(name).to_pylist() for name in ("query_id", "changes")), strict=True):
        if query in labels and query not in seen:
            seen.add(query)
            for slot in {change["slot"] or "unknown" for change in listed or ()}:
                both = counts.setdefault(slot, [0, 0])
                both[0] += 1
                both[1] += labels[query] not in SHORTCUTS
    return dict(sorted(counts.items()))


def triplet_composition_counts(told: Mapping[str, int]) -> dict[str, Any]:
    """Return, by split: queries of each label and by chance, the yield, and the slots before and after."""
    splits: dict[str, Any] = {}
    for split in JUDGED_SPLITS:
        labels = {label: told.get(f"{split} {label}", 0) for label in LABELS}
        if not sum(labels.values()):
            continue
        before = f"{split} before slot "
        slots = {name.removeprefix(before): [count, told.get(name.replace(before, f"{split} after slot "), 0)]
                 for name, count in told.items() if name.startswith(before)}  # fmt: skip
        splits[split] = {
            "labels": labels,
            "chance": {label: told.get(f"{split} chance {label}", 0) / 1000 for label in LABELS},
            **yield_of(labels, told.get(f"{split} pairs", 0)),
            "slots": dict(sorted(slots.items())),
        }
    return splits


def yield_of(labels: Mapping[str, int], pairs: int) -> dict[str, int]:
    """Return how many queries remain without shortcuts, of a thousand and of a thousand pairs."""
    left = sum(count for label, count in labels.items() if label not in SHORTCUTS)
    asked = max(1, sum(labels.values()))
    return {
        "pairs": pairs,
        "left_of_1000": round(1000 * left / asked),
        "left_of_1000_pairs": round(1000 * left / max(1, pairs)),
    }


def triplet_composition_manifest(told: Mapping[str, int]) -> dict[str, Any]:
    """Return what a manifest says of it: what queries need, and by split how many could not be asked."""
    counts = {split: told.get(f"{split} {NOT_ASKED}", 0) for split in JUDGED_SPLITS}
    not_asked = {split: count for split, count in counts.items() if count}
    found = {"composition": triplet_composition_counts(told), NOT_ASKED: not_asked}
    return {name: about for name, about in found.items() if about}


def triplet_composition_unasked(told: Mapping[str, int]) -> list[str]:
    """Return that as lines: what nobody asked may well be a shortcut."""
    why = "the gallery of --videos lacks their reference or targets, or --embeddings their features; they are kept"
    return [f"  {count} {split} queries were not asked what they need: {why}" for split, count in told.items()]


def triplet_composition_lines(told: Mapping[str, Any]) -> list[str]:
    """Return that as lines: labels with what chance gives, the yield, and how the shares of slots moved."""
    lines = []
    for split, of_split in told.items():
        labels = ", ".join(
            f"{label} {count} (by chance {of_split['chance'][label]:.0f})"
            for label, count in of_split["labels"].items()
        )
        lines += [f"  {split} queries: {labels}", *yield_lines(of_split)]
    return lines


def yield_lines(found: Mapping[str, Any]) -> list[str]:
    """Return what a filter leaves, and how the shares of slots moved."""
    sums = [max(1, sum(counts[at] for counts in found["slots"].values())) for at in (0, 1)]
    moved = (
        f"{slot} {100 * counts[0] / sums[0]:.0f} % -> {100 * counts[1] / sums[1]:.0f} %"
        for slot, counts in found["slots"].items()
    )
    yields = f"{found['left_of_1000']} of 1000 queries, {found['left_of_1000_pairs']} queries of 1000 pairs"
    return [f"    without shortcuts: {yields}", f"    slots: {', '.join(moved)}"]

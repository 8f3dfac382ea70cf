"""Composed queries of a benchmark -> a task."""

import dataclasses
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import KS, Item, Mean, Query, Task
from cvr_data.core.columns import with_column
from cvr_data.media.video import Video
from cvr_data.tables import QUERY_NUMBER

logger = logging.getLogger(__name__)
LEFT_OUT = "left-out"
"""Split of triplets between a held-out video and one that is learned from."""

Reference = Literal["exclude", "keep"]
"""Whether a query's own reference is left out of its ranking, as papers do, or ranked too, as MTEB does."""
MEANS = {"meanR3": Mean(("R@1", "R@5", "R@10")), "meanR4": Mean(("R@1", "R@5", "R@10", "R@50"))}
"""What CoVR's code writes beside its recalls."""


@dataclass(frozen=True)
class QueryRow:
    """One query as the benchmark lists it."""

    query_id: str
    reference_id: str
    modification: str
    target_ids: tuple[str, ...]
    description: str | None = None
    """A text that describes the reference."""
    frame_scores: tuple[float, ...] = ()
    """How well the text fits each frame of the target, where the benchmark says."""
    slices: Mapping[str, str] = field(default_factory=dict)
    """Slice name -> its value."""


def task_video_item(video_id: str) -> Item:
    """Return a gallery item that is known by its id; its features are stored."""
    return Item(video_id, Video(video_id))


def task_query(row: QueryRow) -> Query:
    """Return the composed query of a row."""
    return Query(row.query_id, task_video_item(row.reference_id), row.modification, row.description)


def task_rows(triplets: pa.Table) -> list[QueryRow]:
    """Return one query per triplet, each with its own target; what tells of the reference at most describes it."""
    names = ["triplet_id", "reference_id", "modification", "target_id", "frame_scores"]
    told = "reference_description" if "reference_description" in triplets.column_names else "reference_caption"
    columns = [triplets.column(name).to_pylist() for name in (*names, told)]
    return [
        QueryRow(triplet, reference, text, (target,), description, tuple(scores or ()))
        for triplet, reference, text, target, scores, description in zip(*columns, strict=True)
    ]


def numbered_task_queries(triplets: pa.Table) -> list[tuple[dict[str, Any], tuple[str, ...]]]:
    """Return (first row, all targets) of each query of a published file, in its order; told apart by its numbers."""
    name = QUERY_NUMBER if QUERY_NUMBER in triplets.column_names else "query_id"
    rows_of_query: dict[Any, list[dict[str, Any]]] = {}
    for row in triplets.to_pylist():
        rows_of_query.setdefault(row[name], []).append(row)
    return [(rows[0], tuple(row["target_id"] for row in rows)) for rows in rows_of_query.values()]


def task_videos(rows: Iterable[QueryRow]) -> list[str]:
    """Return the references and targets of all rows, each once, in the order in which they are named."""
    return list(dict.fromkeys(name for row in rows for name in (row.reference_id, *row.target_ids)))


def task_targets(rows: Iterable[QueryRow]) -> list[str]:
    """Return the targets of all rows, each once."""
    return list(dict.fromkeys(target_id for row in rows for target_id in row.target_ids))


def composed_task(
    name: str, rows: Sequence[QueryRow], gallery: Sequence[str], protocol: Protocol, *, ks: tuple[int, ...] = KS,
    map_ks: tuple[int, ...] = (), candidates: Mapping[str, frozenset[str]] | None = None,
    subset: Mapping[str, frozenset[str]] | None = None, subset_ks: tuple[int, ...] = (),
    means: Mapping[str, Mean] | None = None, left_out: Mapping[str, int] | None = None,
    slice_names: Sequence[str] = (),
) -> Task:  # fmt: skip
    """Return the task of these queries; one whose only target is its own reference is left out and counted.

    Queries without targets make a task whose answers a server scores. Rows that repeat a query are one, and counted.
    Slices come in the order of `slice_names`, or of their names.
    """
    given, rows = len(rows), _without_repeats(rows)
    is_excluded = protocol.reference == "exclude"
    kept = [row for row in rows if not (is_excluded and set(row.target_ids) == {row.reference_id})]
    counts = {
        **(left_out or {}),
        "rows that repeat a query": given - len(rows),
        "queries whose only target is their reference": len(rows) - len(kept),
    }
    slices = slice_names or sorted({name for row in kept for name in row.slices})
    return Task(
        name=name,
        queries=[task_query(row) for row in kept],
        gallery=[task_video_item(video_id) for video_id in gallery],
        targets={row.query_id: frozenset(row.target_ids) for row in kept if row.target_ids},
        candidates=_lists_of(kept, candidates),
        ks=ks,
        map_ks=map_ks,
        subset=_lists_of(kept, subset),
        subset_ks=subset_ks,
        means=means or {},
        protocol=protocol,
        slices={
            slice_name: {row.query_id: row.slices[slice_name] for row in kept if slice_name in row.slices}
            for slice_name in slices
        },
        target_frame_weights={row.query_id: row.frame_scores for row in kept if row.frame_scores},
        left_out={what: count for what, count in counts.items() if count},
    )


def _without_repeats(rows: Iterable[QueryRow]) -> list[QueryRow]:
    """The rows without those that say of a query what an earlier one said; others that share its name stay."""
    known: dict[str, QueryRow] = {}
    kept = []
    for row in rows:
        first = known.get(row.query_id)
        if first is None or dataclasses.replace(row, frame_scores=first.frame_scores) != first:
            kept.append(row)
        known.setdefault(row.query_id, row)
    return kept


def _lists_of(rows: Iterable[QueryRow], lists: Mapping[str, frozenset[str]] | None) -> dict[str, frozenset[str]] | None:
    return None if lists is None else {row.query_id: lists[row.query_id] for row in rows}


def task_triplets_held_out(triplets: pa.Table, share: float) -> pa.Table:
    """Return the triplets with those of a share of the train references, at least of one, moved to val.

    A hash of their names picks them, so that the order of the triplets does not matter. A train triplet with a video of
    these, or a near-duplicate of one, as its reference or its target becomes one of split `left-out`, which nothing
    reads; how many is logged. Where nothing would be left to learn from, such triplets stay.
    """
    is_train = pc.equal(triplets.column("split"), "train")
    references = triplets.filter(is_train).column("reference_id").unique().to_pylist()
    count = min(max(1, round(share * len(references))), len(references) - 1)
    digests = {name: hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:4] for name in references}
    chosen = sorted(references, key=lambda name: (digests[name], name))[: max(0, count)]
    is_held = pc.is_in(triplets.column("reference_id"), value_set=pa.array(chosen, pa.string()))
    is_val = pc.and_(is_held, is_train)
    split = pc.if_else(is_val, "val", triplets.column("split"))
    ends = [_duplicate_groups(triplets, end) for end in ("reference", "target")]
    held = pa.chunked_array([*(end.filter(is_val).combine_chunks() for end in ends)], pa.string()).unique()
    touches = pc.or_(*(pc.is_in(end, value_set=held) for end in ends))
    left_out = pc.and_(pc.and_(is_train, pc.invert(is_val)), touches)
    count, rest = (pc.sum(rows).as_py() or 0 for rows in (left_out, pc.and_(is_train, pc.invert(touches))))
    if count and rest:
        split = pc.if_else(left_out, LEFT_OUT, split)
        logger.info(
            "%d train triplets have a held-out video on one side and are left out; %d are learned from", count, rest
        )
    return with_column(triplets, triplets.schema.field("split"), split)


def _duplicate_groups(triplets: pa.Table, end: str) -> pa.ChunkedArray:
    """The near-duplicate group of each video of one end, or its own id."""
    ids, name = triplets.column(f"{end}_id"), f"{end}_group_id"
    return pc.coalesce(triplets.column(name), ids) if name in triplets.column_names else ids

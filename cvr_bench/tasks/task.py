"""What is to be ranked: queries, a gallery in which every item stands once, and the targets of each query.

    Task(name="toy", queries=[Query("q1", Item("v1", Video("v1")), "make it a cat")],
         gallery=[Item("v1", Video("v1")), Item("v2", Video("v2"))], targets={"q1": frozenset({"v2"})})

A task is checked when it is built, so that a wrong number cannot come from a wrong task.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TypeVar

from cvr_bench.tasks.protocol import Protocol
from cvr_data.core.errors import CvrError, first_few
from cvr_data.media.video import Video

KS = (1, 5, 10, 50)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Item:
    """Something a query refers to or a gallery holds: a video (an image is a video of one frame) or a text."""

    item_id: str
    video: Video | None = None
    text: str | None = None
    texts: tuple[str, ...] = ()
    """A set of texts, of which the one that scores best counts; every item of a gallery is one, or none is."""


@dataclass(frozen=True)
class Query:
    """A composed query: reference video and modification text, either of which a task may lack."""

    query_id: str
    reference: Item | None
    modification: str | None
    description: str | None = None
    """A text that describes the reference, for benchmarks that give one."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What has no features, as far as the bounds of a recall need to know it."""

    queries: int = 0
    """Queries that cannot be scored at all."""
    unranked: Mapping[str, int] = field(default_factory=dict)
    """query_id -> gallery items that it should have been ranked against as well."""
    subset_unranked: Mapping[str, int] = field(default_factory=dict)
    """The same, of the query's own set of look-alikes."""
    targets: Mapping[str, int] = field(default_factory=dict)
    """query_id -> targets that it lacks."""
    slices: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Slice name -> value -> queries of it that cannot be scored."""

    def __bool__(self) -> bool:
        return bool(self.queries or self.unranked or self.subset_unranked or self.targets)


@dataclass(frozen=True)
class Mean:
    """A mean that a paper reports, of unrounded values."""

    of: tuple[str, ...]
    """Names of the metrics, `R@5` or `R_sub@1`."""
    over: str | None = None
    """A slice whose values count the same, however many queries each has; None counts queries."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One benchmark, ready to be scored."""

    name: str
    queries: Sequence[Query]
    gallery: Sequence[Item]
    targets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """query_id -> item_ids that answer it; empty where a server keeps them, and perhaps the gallery."""
    candidates: Mapping[str, frozenset[str]] | None = None
    """query_id -> the part of the gallery it is ranked against; None is all of it, for every query."""
    ks: tuple[int, ...] = KS
    map_ks: tuple[int, ...] = ()
    """The K of each mAP@K, for benchmarks whose queries have several targets."""
    subset: Mapping[str, frozenset[str]] | None = None
    """query_id -> a small set of look-alikes that each query is ranked against as well, for R_sub@K."""
    subset_ks: tuple[int, ...] = ()
    """The K of each R_sub@K."""
    means: Mapping[str, Mean] = field(default_factory=dict)
    """Name -> mean, for benchmarks whose papers report another one than that of all recalls."""
    protocol: Protocol = field(default_factory=Protocol)
    slices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Slice name (kind, slot, backend, ...) -> query_id -> value; a query may be absent."""
    target_frame_weights: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """query_id -> annotated scores of its target's frames, for benchmarks that give them; only the protocol
    `reference-code: CoVR` reads them."""
    grades: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """query_id -> how relevant each target is, from 1; targets that are not named are 1."""
    twins: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """item_id -> gallery items that are copies of it."""
    distractor_kinds: Mapping[str, str] = field(default_factory=dict)
    """item_id of a distractor -> its kind, such as the name of the folder that it was mined to."""
    distractor_types: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    """Type -> query_id -> the gallery items that are distractors of this type for this query alone."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """What the data holds but cannot be scored, such as "gallery videos without features" -> how many."""
    missing: Missing = field(default_factory=Missing)
    """What the whole benchmark would rank beside this."""

    def __post_init__(self) -> None:
        _check_ids(self)
        _check_queries(self)
        _check_candidates(self)
        for name, ks in (("ks", self.ks), ("map_ks", self.map_ks), ("subset_ks", self.subset_ks)):
            if list(ks) != sorted(set(ks)) or (ks and ks[0] < 1) or not self.ks:
                raise CvrError(f"{self.name}: {name} should be rising numbers from 1, got {ks}.")

    @property
    def is_blind(self) -> bool:
        """Whether the targets are not known, so that answers can be given and not scored."""
        return not self.targets

    @property
    def kind_names(self) -> list[str]:
        """The kinds of distractors, sorted, then their types."""
        return [*sorted(set(self.distractor_kinds.values())), *sorted(self.distractor_types)]

    @property
    def exclude_reference(self) -> bool:
        """Whether a query's own reference video is left out of its ranking."""
        return self.protocol.reference == "exclude"

    def is_allowed(self, query: Query, item_id: str) -> bool:
        """Return whether the item is ranked for the query."""
        if self.exclude_reference and query.reference is not None and query.reference.item_id == item_id:
            return False
        return self.candidates is None or item_id in self.candidates[query.query_id]


def part_of_task(task: Task, queries: Sequence[Query], item_ids: Set[str] | None = None) -> Task:
    """Return the task of some of its queries, ranked within some of its items (None is all).

    Raises:
        CvrError: a query has no target among them.
    """
    names = {query.query_id for query in queries}
    targets = _only_of_queries(task.targets, names)
    return replace(
        task,
        queries=queries,
        gallery=[item for item in task.gallery if item_ids is None or item.item_id in item_ids],
        targets=targets if item_ids is None else {name: ids & item_ids for name, ids in targets.items()},
        candidates=_lists_within(task.candidates, names, item_ids),
        subset=_lists_within(task.subset, names, item_ids),
        slices={name: _only_of_queries(values, names) for name, values in task.slices.items()},
        distractor_types=_types_within(task.distractor_types, names, item_ids),
        target_frame_weights=_only_of_queries(task.target_frame_weights, names),
    )


def _types_within(
    types: Mapping[str, Mapping[str, frozenset[str]]], names: Set[str], item_ids: Set[str] | None
) -> dict[str, dict[str, frozenset[str]]]:
    """The distractors of these queries among these items; a type that none of them has left is gone."""
    found = {
        name: {query_id: kept for query_id, ids in _only_of_queries(of_query, names).items()
               if (kept := ids if item_ids is None else ids & item_ids)}
        for name, of_query in types.items()
    }  # fmt: skip
    return {name: of_query for name, of_query in found.items() if of_query}


def _lists_within(
    lists: Mapping[str, frozenset[str]] | None, names: Set[str], item_ids: Set[str] | None
) -> Mapping[str, frozenset[str]] | None:
    """The lists of these queries without other items; queries that share a list go on sharing it."""
    if lists is None or item_ids is None:
        return lists and _only_of_queries(lists, names)
    distinct = {id(lists[name]): lists[name] for name in names}
    kept = {key: ids & item_ids for key, ids in distinct.items()}
    return {name: kept[id(lists[name])] for name in names}


def _only_of_queries(values: Mapping[str, Value], names: Set[str]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name in names}


def task_references(queries: Sequence[Query]) -> list[Video]:
    """Return the reference video of each query. Raises CvrError: a query has none."""
    videos = [query.reference.video if query.reference is not None else None for query in queries]
    lacking = [query.query_id for query, video in zip(queries, videos, strict=True) if video is None]
    if lacking:
        raise CvrError(f"This model needs a reference video; query {first_few(lacking)} has none.")
    return [video for video in videos if video is not None]


def task_modifications(queries: Sequence[Query]) -> list[str]:
    """Return the modification text of each query. Raises CvrError: a query has none."""
    lacking = [query.query_id for query in queries if query.modification is None]
    if lacking:
        raise CvrError(f"This model needs a modification text; query {first_few(lacking)} has none.")
    return [query.modification or "" for query in queries]


def _check_ids(task: Task) -> None:
    if not task.queries:
        raise CvrError(f"{task.name}: there is no query.")
    for what, ids in (
        ("query", [query.query_id for query in task.queries]),
        ("gallery item", [item.item_id for item in task.gallery]),
    ):
        repeated = [name for name, count in Counter(ids).items() if count > 1]
        _refuse_task(task, repeated, f"{what} {{}} stands more than once")
    sets = [item.item_id for item in task.gallery if item.texts]
    if len(sets) < len(task.gallery):
        _refuse_task(task, sets, "gallery item {} is a set of texts, but not every item is")
    empty = [item.item_id for item in task.gallery if item.video is None and item.text is None and not item.texts]
    _refuse_task(task, empty, "gallery item {} is neither a video nor a text")


def _check_queries(task: Task) -> None:
    gallery = {item.item_id for item in task.gallery}
    known = {query.query_id for query in task.queries}
    blank = [query.query_id for query in task.queries if query.reference is None and query.modification is None]
    _refuse_task(task, blank, "query {} has neither a reference nor a modification")
    if not task.is_blind:
        _check_targets(task, gallery, known)
    for name, values in task.slices.items():
        _refuse_task(task, sorted(set(values) - known), f"slice {name!r} names query {{}}, which is not there")


def _check_targets(task: Task, gallery: set[str], known: set[str]) -> None:
    lost = sorted(query_id for query_id in known if not task.targets.get(query_id))
    _refuse_task(task, lost, "query {} has no target")
    stray = sorted(known.symmetric_difference(task.targets))
    _refuse_task(task, stray, "targets are given for query {}, which is not there")
    outside = sorted({item_id for ids in task.targets.values() for item_id in ids} - gallery)
    _refuse_task(task, outside, "target {} is not in the gallery")


def _check_candidates(task: Task) -> None:
    if bool(task.subset_ks) != (task.subset is not None):
        raise CvrError(f"{task.name}: subset and subset_ks belong together.")
    if task.candidates is not None:
        gallery = {item.item_id for item in task.gallery}
        without = [query.query_id for query in task.queries if not task.candidates.get(query.query_id)]
        _refuse_task(task, without, "query {} has no candidates")
        distinct = {id(ids): ids for ids in task.candidates.values()}
        outside = sorted(frozenset().union(*distinct.values()) - gallery)
        _refuse_task(task, outside, "candidate {} is not in the gallery")
    hidden = [
        query.query_id
        for query in task.queries
        if not task.is_blind and not any(task.is_allowed(query, item_id) for item_id in task.targets[query.query_id])
    ]
    _refuse_task(task, hidden, "no target left to find for query {}")


def _refuse_task(task: Task, names: Sequence[str], problem: str) -> None:
    """Raise where there are such names, the first of which stand for the `{}` of the problem."""
    if names:
        raise CvrError(f"{task.name}: {problem.format(first_few(names))}.")

"""Join modification texts with their pairs into triplets: drop, de-duplicate, cap, keep the splits apart.

    modifications (ok) ─┬─▶ triplets     dropped, in this order: the text's own first reason (rejected or error), empty,
    pairs ──────────────┘                pair_not_found, reference_is_target, straddles_splits, duplicate,
                                         over_target_cap, over_text_cap, not_of_test_source, shares_test_video

Rows that share `query_id` are one query with several targets. A text of two sources, word for word the same for the
same two videos, is one triplet and stays with the source that comes first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError, first_few
from cvr_data.tables import PAIRS, SPLITS, TRIPLETS, query_id, triplet_id

VERSION = 2
PAIR_COLUMNS = (
    "pair_id", "reference_id", "target_id", "reference_group_id", "target_group_id", "reference_caption",
    "target_caption", "changes", "text_similarity", "visual_similarity",
)  # fmt: skip
NOT_CARRIED = {*PAIRS.names, "drop_reason", "drop_detail"}
ORDER = ("split", "reference_id", "modification", "target_id", "modification_id")


@dataclass(frozen=True, kw_only=True)
class Config:
    max_per_target: int = 0
    """Triplets that may share a target, within a split and a source of texts (style, backend); 0 is no limit."""
    max_per_text: int = 0
    """Triplets that may share a text, likewise; a frequent text is a short cut. 0 is no limit."""
    default_split: Literal["train", "val", "test"] = "train"
    """Split of pairs that carry none (no split by the corpus, and `cvr split` was not run)."""

    def __post_init__(self):
        for name in ("max_per_target", "max_per_text"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 (no limit) or more, got {getattr(self, name)}.")


def run(config: Config, modifications: pa.Table, pairs: pa.Table) -> pa.Table:
    """Return one row per modification, those that become no triplet with their `drop_reason`.

    Kept rows are sorted by split, reference, text and target. Caps keep the visually most similar pairs first, then
    the lowest pair_id, so that they keep the same pairs of every source of texts.
    """
    rows = _joined(config, modifications, pairs)
    own = zip(modifications.column("status").to_pylist(), modifications.column("reasons").to_pylist(), strict=True)
    reasons = _Reasons([None if status == "ok" else (listed or [status])[0] for status, listed in own])
    texts = pc.utf8_trim_whitespace(pc.fill_null(rows.column("modification"), ""))
    reasons.add("empty", _is_true(pc.equal(texts, "")))
    reasons.add("pair_not_found", _is_true(pc.is_null(rows.column("reference_id"))))
    reasons.add("reference_is_target", _is_true(pc.equal(rows.column("reference_id"), rows.column("target_id"))))
    reasons.add_of_rest("straddles_splits", lambda rest: _straddling(rows.take(rest)))
    reasons.add_of_rest("duplicate", lambda rest: _repeated(rows.column("triplet_id").take(rest)))
    if config.max_per_target:
        reasons.add_of_rest("over_target_cap", partial(_over_cap, rows, "target_id", config.max_per_target))
    if config.max_per_text:
        reasons.add_of_rest("over_text_cap", partial(_over_cap, rows, "modification", config.max_per_text))
    rows = rows.append_column("drop_reason", pa.array(reasons.reasons, pa.string()))
    return rows.sort_by([(name, "ascending") for name in ORDER])


def run_apart(config: Config, sources: tuple[pa.Table, pa.Table], tests: tuple[pa.Table, pa.Table]) -> pa.Table:
    """Return `run` of sources that give train and val only, and of others that give the test triplets.

    All pairs of the test sources are test, whatever split they had. Of the others, test triplets are dropped as
    `not_of_test_source`, and those that use a video of a test triplet, or a near-duplicate, as `shares_test_video`.

    Args:
        config: for both.
        sources: (modifications, pairs).
        tests: (modifications, pairs).
    """
    modifications, pairs = tests
    split = pa.array(["test"] * pairs.num_rows, pa.string())
    test = run(config, modifications, with_column(pairs, "split", split))
    rest = run(config, *sources)
    reasons = _Reasons(rest.column("drop_reason").to_pylist())
    reasons.add("not_of_test_source", _is_true(pc.equal(rest.column("split"), "test")))
    used = test.filter(pc.is_null(test.column("drop_reason")))
    reasons.add("shares_test_video", shares_videos(rest, used))
    rest = with_column(rest, "drop_reason", pa.array(reasons.reasons, pa.string()))
    both = pa.concat_tables([rest, test], promote_options="permissive")
    return both.sort_by([(name, "ascending") for name in ORDER])


class _Reasons:
    """The first reason of each row, or None."""

    def __init__(self, reasons: list[str | None]):
        self.reasons = reasons

    def add(self, reason: str, is_hit: np.ndarray) -> None:
        for row in np.flatnonzero(is_hit):
            self.reasons[row] = self.reasons[row] or reason

    def add_of_rest(self, reason: str, find: Callable[[np.ndarray], np.ndarray]) -> None:
        """Drop those of the rows still kept that `find` (row numbers -> bool of each) says."""
        rest = np.array([row for row, known in enumerate(self.reasons) if known is None], np.int64)
        if len(rest):
            for row in rest[find(rest)]:
                self.reasons[row] = reason


def _joined(config: Config, modifications: pa.Table, pairs: pa.Table) -> pa.Table:
    """Return the columns of a triplet for every modification; those of an unknown pair are null."""
    pairs = _one_row_per_pair(pairs)
    place = pc.index_in(modifications.column("pair_id"), pairs.column("pair_id").combine_chunks())
    found = pairs.take(place)
    split = pc.fill_null(found.column("split"), config.default_split)
    if unknown := sorted(set(split.to_pylist()) - set(SPLITS)):
        raise CvrError(f"pairs: unknown split {first_few(map(repr, unknown))}; allowed: {', '.join(SPLITS)}.")
    columns = {name: found.column(name) for name in PAIR_COLUMNS}
    columns["split"] = split
    columns["pair_id"] = modifications.column("pair_id")
    for name in ("modification_id", "modification", "style", "backend", "model"):
        columns[name] = modifications.column(name)
    texts = [text or "" for text in columns["modification"].to_pylist()]
    ends = [[end or "" for end in columns[name].to_pylist()] for name in ("reference_id", "target_id")]
    columns["triplet_id"] = pa.array(map(triplet_id, ends[0], texts, ends[1]), pa.string())
    columns["query_id"] = pa.array(starmap(query_id, zip(ends[0], texts, strict=True)), pa.string())
    columns["frame_scores"] = pa.nulls(len(texts), TRIPLETS.field("frame_scores").type)
    scores = {name: found.column(name) for name in pairs.column_names if name not in NOT_CARRIED}
    return pa.table({name: columns[name] for name in TRIPLETS.names} | scores)


def _one_row_per_pair(pairs: pa.Table) -> pa.Table:
    """Return the pairs, each id once.

    Raises:
        CvrError: two artifacts put one pair into two splits.
    """
    ids = pairs.column("pair_id").to_pylist()
    splits = pairs.column("split").to_pylist()
    first: dict[str, int] = {}
    for row, name in enumerate(ids):
        known = first.setdefault(name, row)
        if splits[known] != splits[row]:
            raise CvrError(f"Pair {name} is in split {splits[known]!r} and in {splits[row]!r}; use one pairs folder.")
    return pairs if len(first) == len(ids) else pairs.take(list(first.values()))


def _is_true(values: pa.ChunkedArray) -> np.ndarray:
    return pc.fill_null(values, False).to_numpy()


def _straddling(rows: pa.Table) -> np.ndarray:
    """Whether a row's reference or target, or a near-duplicate of it, is also used in a more protected split."""
    level = np.array([SPLITS.index(split) for split in rows.column("split").to_pylist()])
    keys = [
        [f"group {group}" if group else f"video {video}" for group, video in zip(groups, videos, strict=True)]
        for end in ("reference", "target")
        for groups, videos in [(rows.column(f"{end}_group_id").to_pylist(), rows.column(f"{end}_id").to_pylist())]
    ]
    _, codes = np.unique(np.array(keys[0] + keys[1]), return_inverse=True)
    highest = np.zeros(codes.max() + 1, level.dtype)
    np.maximum.at(highest, codes, np.tile(level, 2))
    ends = highest[codes].reshape(2, -1)
    return level < ends.max(axis=0)


def shares_videos(rows: pa.Table, others: pa.Table) -> np.ndarray:
    """Return whether a row's reference or target is a video of the others, or in a near-duplicate group of theirs."""
    is_shared = np.zeros(rows.num_rows, bool)
    for names in (("reference_id", "target_id"), ("reference_group_id", "target_group_id")):
        known = pa.concat_arrays([others.column(name).combine_chunks() for name in names]).drop_null()
        for name in names:
            is_shared |= pc.is_in(rows.column(name), known).to_numpy()
    return is_shared


def _repeated(values: pa.ChunkedArray) -> np.ndarray:
    """Whether an equal value stands earlier."""
    _, first = np.unique(np.array(values.to_pylist()), return_index=True)
    is_repeated = np.ones(len(values), bool)
    is_repeated[first] = False
    return is_repeated


def _over_cap(table: pa.Table, column: str, cap: int, rest: np.ndarray) -> np.ndarray:
    """Whether `cap` better rows of the same split, style, backend and value of the column are among the rest."""
    rows = table.take(rest)
    names = ("split", "style", "backend", column)
    keys = list(zip(*(rows.column(name).to_pylist() for name in names), strict=True))
    codes = {key: code for code, key in enumerate(dict.fromkeys(keys))}
    group = np.array([codes[key] for key in keys])
    similarity = pc.fill_null(rows.column("visual_similarity"), -2.0).to_numpy()
    _, pair_order = np.unique(np.array(rows.column("pair_id").to_pylist()), return_inverse=True)
    order = np.lexsort((pair_order, -similarity, group))
    starts = np.r_[True, group[order][1:] != group[order][:-1]]
    place_in_group = np.arange(len(order)) - np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    is_over = np.empty(len(order), bool)
    is_over[order] = place_in_group >= cap
    return is_over

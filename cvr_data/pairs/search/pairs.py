"""Pairs of captions to rows of the pairs table: every video of the one with every video of the other."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import with_column
from cvr_data.pairs.search.captions import Captions
from cvr_data.pairs.search.groups import counting
from cvr_data.tables import CHANGE, content_id

HASHED = 100_000
"""Rows whose ids are hashed at once, which bounds the memory."""
_TO_ESCAPE = '["\\\\\\x00-\\x1f]'


@dataclass(frozen=True)
class CaptionPairs:
    """Ordered pairs of captions and the words that differ."""

    reference: np.ndarray
    """Numbers of the captions."""
    target: np.ndarray
    before: np.ndarray
    """Word ids."""
    after: np.ndarray

    @classmethod
    def concat(cls, parts: "Sequence[CaptionPairs]") -> "CaptionPairs":
        """Return all pairs as one."""
        empty = np.empty(0, np.int32)
        names = ("reference", "target", "before", "after")
        return cls(*(np.concatenate([empty, *(getattr(part, name) for part in parts)]) for name in names))

    def changed(self, vocabulary: pa.Array) -> "ChangedPairs":
        """Return the pairs with one change each: the word before and the word after."""

        def changes(rows: np.ndarray) -> pa.ListArray:
            return one_change_each(*(vocabulary.take(pa.array(side[rows])) for side in (self.before, self.after)))

        return ChangedPairs(self.reference, self.target, changes)


@dataclass(frozen=True)
class ChangedPairs:
    """Ordered pairs of captions and what changes in each."""

    reference: np.ndarray
    """Numbers of the captions."""
    target: np.ndarray
    changes: Callable[[np.ndarray], pa.ListArray]
    """Row numbers of the pairs -> their changes, not yet typed."""
    columns: Mapping[str, pa.Array] = field(default_factory=dict)
    """Other columns of the pairs; `drop_reason` removes a pair where it is not null."""

    def part(self, start: int, end: int) -> "ChangedPairs":
        """Return the pairs from `start` to before `end`."""
        return ChangedPairs(
            self.reference[start:end], self.target[start:end], lambda rows: self.changes(rows + start),
            {name: column[start:end] for name, column in self.columns.items()},
        )  # fmt: skip


@dataclass(frozen=True, order=True)
class DroppedGroup:
    """Captions that were not paired with each other, or videos with the others of their caption."""

    text: str
    reason: str
    captions: int
    """Distinct ones."""
    videos: int
    pairs: int | None = None
    """Ordered pairs of videos that were not made; None where nobody knows."""


def crowded_groups(captions: Captions) -> list[DroppedGroup]:
    """Return the captions that too many videos share."""
    return [DroppedGroup(text, "crowded_caption", 1, count) for text, count in captions.crowded]


def pairs_table(captions: Captions, found: ChangedPairs, groups: Sequence[DroppedGroup], strategy: str) -> pa.Table:
    """Return the pairs, sorted by their ids, followed by one dropped row per group."""
    rows, reference, target = _video_pairs(captions, found)
    keys = pair_keys(
        [_quoted_captions(captions.video_ids), _quoted_captions(captions.texts)],
        [captions.video_rows[reference], captions.video_rows[target], reference, target],
    )
    order = np.lexsort((keys, captions.video_rows[target], captions.video_rows[reference]))
    rows, reference, target = rows[order], reference[order], target[order]
    ids = [captions.video_ids.take(pa.array(captions.video_rows[side])) for side in (reference, target)]
    texts = [captions.texts.take(pa.array(side)) for side in (reference, target)]
    table = pa.table(
        {
            "pair_id": pair_group_key_texts(keys[order]),
            "reference_id": ids[0], "target_id": ids[1], "reference_caption": texts[0], "target_caption": texts[1],
            "strategy": pa.repeat(strategy, len(rows)),
            "changes": found.changes(rows),
            "drop_reason": pa.nulls(len(rows), pa.string()),
            **{name: column.take(pa.array(rows)) for name, column in found.columns.items()},
        }
    )  # fmt: skip
    return pa.concat_tables([table, *dropped_pair_group_rows(groups, strategy)], promote_options="permissive")


def dropped_pair_group_rows(groups: Sequence[DroppedGroup], strategy: str) -> list[pa.Table]:
    """Return a table of one dropped row per group, sorted; none where there is no group."""
    return [pa.Table.from_pylist([_group_row(group, strategy) for group in sorted(groups)])] if groups else []


def pairs_with_video_columns(pairs: pa.Table, videos: pa.Table) -> pa.Table:
    """Return the pairs with the videos' columns, once of the reference and once of the target, and the split.

    Args:
        pairs: rows that have no video have nulls.
        videos: `video_id`, `split`, `group_id` and any more.
    """
    ids = videos.column("video_id").combine_chunks()
    for side in ("reference", "target"):
        rows = pc.index_in(pairs.column(f"{side}_id"), ids)
        for name in videos.column_names:
            if name != "video_id":
                pairs = with_column(pairs, f"{side}_{name}", videos.column(name).take(rows))
    return with_column(pairs, "split", pairs.column("target_split"))


def one_change_each(before: pa.Array, after: pa.Array) -> pa.ListArray:
    """Return one untyped change per row."""
    untyped = pa.nulls(len(before), pa.string())
    structs = pa.StructArray.from_arrays([untyped, untyped, before, after], fields=list(CHANGE))
    return pa.ListArray.from_arrays(pa.array(np.arange(len(before) + 1), pa.int32()), structs)


def pair_keys(quoted: Sequence[pa.Array], rows: Sequence[np.ndarray]) -> np.ndarray:
    """Return the first eight bytes of each pair's hash, which `tables.pair_id` writes as 16 digits.

    Args:
        quoted: video ids and captions as JSON strings.
        rows: of reference id, target id (rows of the first), reference caption, target caption (of the second).
    """
    keys = []
    for start in range(0, len(rows[0]), HASHED):
        columns = [
            strings.take(pa.array(column[start : start + HASHED]))
            for strings, column in zip((quoted[0], quoted[0], quoted[1], quoted[1]), rows, strict=True)
        ]
        lists = pc.binary_join_element_wise("[", pc.binary_join_element_wise(*columns, ","), "]", "")
        keys.append(b"".join([hashlib.sha256(text).digest()[:8] for text in lists.cast(pa.binary()).to_pylist()]))
    return np.frombuffer(b"".join(keys), ">u8").astype(np.uint64)


def pair_group_key_texts(keys: np.ndarray) -> pa.Array:
    """Return each key as 16 hex digits."""
    digits = keys.astype(">u8").tobytes().hex().encode()
    offsets = np.arange(len(keys) + 1, dtype=np.int64) * 16
    return pa.LargeStringArray.from_buffers(len(keys), pa.py_buffer(offsets), pa.py_buffer(digits)).cast(pa.string())


def _quoted_captions(texts: pa.Array) -> pa.Array:
    """Return each text as `json.dumps` writes it."""
    simple = pc.binary_join_element_wise('"', texts, '"', "")
    is_special = pc.match_substring_regex(texts, _TO_ESCAPE)
    escaped = [json.dumps(text, ensure_ascii=False) for text in texts.filter(is_special).to_pylist()]
    return pc.replace_with_mask(simple, is_special, pa.array(escaped, pa.string()))


def _video_pairs(captions: Captions, found: ChangedPairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (row of `found`, entry of the reference, entry of the target) of every pair of different videos."""
    sizes = np.diff(captions.entry_offsets)
    first, second = sizes[found.reference], sizes[found.target]
    rows = np.repeat(np.arange(len(found.reference)), first * second)
    number = counting(first * second)
    reference = captions.entry_offsets[found.reference[rows]] + number // second[rows]
    target = captions.entry_offsets[found.target[rows]] + number % second[rows]
    differ = captions.video_rows[reference] != captions.video_rows[target]
    return rows[differ], reference[differ], target[differ]


def _group_row(group: DroppedGroup, strategy: str) -> dict[str, object]:
    """Return only what a group has: an empty column would pass for one that was computed."""
    return {
        "pair_id": content_id(strategy, group.reason, group.text), "reference_caption": group.text,
        "strategy": strategy, "drop_reason": group.reason, "n_captions": group.captions, "n_videos": group.videos,
        "n_pairs": group.pairs,
    }  # fmt: skip

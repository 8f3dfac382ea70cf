"""Pairs of captions to rows of the pairs table: every video of the one with every video of the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cvr_data.mining._captions import Captions
from cvr_data.tables import CHANGE, PAIRS, content_id, pair_id


@dataclass(frozen=True)
class CaptionPairs:
    """Ordered pairs of captions and the words that differ."""

    reference: np.ndarray
    """Rows of the captions."""
    target: np.ndarray
    before: np.ndarray
    """Word ids."""
    after: np.ndarray

    @classmethod
    def concat(cls, parts: "Sequence[CaptionPairs]") -> "CaptionPairs":
        """Return all pairs as one."""
        empty = np.empty(0, np.int64)
        names = ("reference", "target", "before", "after")
        return cls(*(np.concatenate([empty, *(getattr(part, name) for part in parts)]) for name in names))


def pairs_table(
    captions: Captions, found: CaptionPairs, templates: Sequence[tuple[str, int]], strategy: str
) -> pa.Table:
    """Return the pairs, sorted by their ids, followed by one dropped row per template and per crowded caption."""
    rows, reference, target = _video_pairs(captions, found)
    ids = [captions.video_ids.take(captions.video_rows[side]) for side in (reference, target)]
    texts = [captions.texts.take(side) for side in (reference, target)]
    changes = _changes(captions, found.before[rows], found.after[rows])
    columns = [*ids, *texts]
    keys = [pair_id(*row) for row in zip(*(column.to_pylist() for column in columns), strict=True)]
    count = len(keys)
    table = pa.table(
        {
            "pair_id": pa.array(keys, pa.string()),
            "reference_id": ids[0], "target_id": ids[1], "reference_caption": texts[0], "target_caption": texts[1],
            "strategy": pa.repeat(strategy, count), "changes": changes,
            "drop_reason": pa.nulls(count, pa.string()),
        }
    )  # fmt: skip
    table = table.sort_by([(name, "ascending") for name in ("reference_id", "target_id", "pair_id")])
    groups = [_group_row(text, size, strategy, "template_group") for text, size in templates]
    groups += [_group_row(text, size, strategy, "crowded_caption") for text, size in captions.crowded]
    if not groups:
        return table
    return pa.concat_tables([table, pa.Table.from_pylist(groups)], promote_options="permissive")


def _video_pairs(captions: Captions, found: CaptionPairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (row of `found`, entry of the reference, entry of the target) of every pair of different videos."""
    sizes = np.diff(captions.video_offsets)
    first, second = sizes[found.reference], sizes[found.target]
    rows = np.repeat(np.arange(len(found.reference)), first * second)
    number = np.arange(len(rows)) - np.repeat(np.cumsum(first * second) - first * second, first * second)
    reference = captions.video_offsets[found.reference[rows]] + number // second[rows]
    target = captions.video_offsets[found.target[rows]] + number % second[rows]
    differ = captions.video_rows[reference] != captions.video_rows[target]
    return rows[differ], reference[differ], target[differ]


def _changes(captions: Captions, before: np.ndarray, after: np.ndarray) -> pa.ListArray:
    untyped = pa.nulls(len(before), pa.string())
    words = [captions.vocabulary.take(pa.array(side, pa.int64())) for side in (before, after)]
    structs = pa.StructArray.from_arrays([untyped, untyped, *words], fields=list(CHANGE))
    return pa.ListArray.from_arrays(pa.array(np.arange(len(before) + 1), pa.int32()), structs)


def _group_row(text: str, size: int, strategy: str, reason: str) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(PAIRS.names, None)
    row.update(
        pair_id=content_id(strategy, reason, text), reference_caption=text, strategy=strategy, drop_reason=reason,
        n_captions=size, changes=[],
    )  # fmt: skip
    return row

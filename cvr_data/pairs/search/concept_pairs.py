"""Pairs of statements to rows of the pairs table: of two videos the best, of a reference the best targets."""

# Shapes: P pairs of statements, S slots.

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.columns import whole_column
from cvr_data.language.exclusion import FITS
from cvr_data.language.statements import SLOTS
from cvr_data.pairs.search.statement_pairs import NOTHING, Limits, Words, compare_statement_pairs
from cvr_data.pairs.search.statement_tables import Numbered, number_mining_statements
from cvr_data.tables import CHANGE_PHRASES, PAIRS, pair_id

ROWS = pa.schema(
    [
        *((name, pa.string()) for name in PAIRS.names[:6]),
        ("changes", pa.list_(CHANGE_PHRASES)),
        *((name, pa.list_(pa.string())) for name in ("retained", "injected", "excluded")),
        ("common", pa.float32()),
        ("drop_reason", pa.string()),
    ]
)
SLOT_OF = {
    "agent": "object",
    "verb": "action",
    "object": "object",
    "other": "object",
    "place": "scene",
    "time": "scene",
}
"""Slot of a statement -> that of a change; all others are attributes."""


SILENT: dict[str, Any] = {"said": "", "phrase": None}


class Best(NamedTuple):
    """The pairs that are told."""

    rows: np.ndarray
    """(P, 4): rows of the two videos, and of their statements among all that these state."""
    changes_PS: np.ndarray
    common_P: np.ndarray
    reasons: Sequence[str | None]


def best_pairs(
    limits: Limits, most: int, found: pa.Table, ends: np.ndarray, videos: pa.Table, words: tuple[pa.Array, Words]
) -> Best:
    """Return of each two videos the statements that have most in common, and of a reference at most `most` targets.

    Args:
        limits: what a pair is.
        most: targets of a reference.
        found: `FOUND`.
        ends: (2, P) rows of the reference and the target.
        videos: with `stated` and `named`.
        words: of the corpus.
    """
    stated = number_mining_statements(whole_column(videos.column("stated")), *words)
    firsts = np.searchsorted(stated.video_N, np.arange(videos.num_rows))
    places = [found.column(f"{side}_place").to_numpy() for side in ("reference", "target")]
    ones, others = (firsts[end] + place for end, place in zip(ends, places, strict=True))
    rows = np.unique(np.stack([*ends, ones, others], axis=1).astype(np.int64), axis=0)
    again = compare_statement_pairs(
        stated.statements.take(rows[:, 2]), stated.statements.take(rows[:, 3]), words[1], limits
    )
    rows = rows[again.rows]
    is_told = _entailed(rows, again.changes_PS, stated, videos, words)
    score = np.round(again.ground_P * again.mass_P, 4)
    order = np.lexsort((rows[:, 3], rows[:, 2], -score, is_told, rows[:, 1], rows[:, 0]))
    is_first = np.append(True, (np.diff(rows[order][:, :2], axis=0) != 0).any(axis=1))[: len(order)]
    order = order[is_first]
    ranks = _ranks(rows[order][:, 0], -score[order], is_told[order])
    reasons = ["entailed" if told else "more_targets" if rank >= most else None
               for told, rank in zip(is_told[order], ranks, strict=True)]  # fmt: skip
    return Best(rows[order], again.changes_PS[order], again.ground_P[order], reasons)


def _ranks(reference: np.ndarray, cost: np.ndarray, is_last: np.ndarray) -> np.ndarray:
    """Return the place of each row among those of its reference, the cheapest first."""
    order = np.lexsort((np.arange(len(reference)), cost, is_last, reference))
    starts = np.flatnonzero(np.append(True, np.diff(reference[order]) != 0))[: len(order)]
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return ranks


def _entailed(
    rows: np.ndarray, changes_PS: np.ndarray, stated: Numbered, videos: pa.Table, words: tuple[pa.Array, Words]
) -> np.ndarray:
    """Return where a caption of the reference tells what comes in, or one of the target what goes out."""
    named = whole_column(videos.column("named"))
    numbers = pc.index_in(pc.struct_field(pc.list_flatten(named), "word"), words[0]).to_numpy(zero_copy_only=False)
    starts = named.offsets.to_numpy() - named.offsets[0].as_py()
    pair, slot = np.nonzero(changes_PS)
    sides = [stated.statements.words_NS[rows[pair, side], slot] for side in (2, 3)]
    is_one_sided = np.logical_or(*(side == NOTHING for side in sides))
    is_told = np.zeros(len(rows), bool)
    for video, statement in ((0, 3), (1, 2)):
        value = sides[statement - 2]
        first, last = starts[rows[pair, video]], starts[rows[pair, video] + 1]
        use = np.repeat(np.arange(len(pair)), last - first)
        # The numbers from each first to before its last, one after the other.
        sizes = last - first
        said = numbers[np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(first, sizes)]
        is_there = value[use] != NOTHING
        use, said = use[is_there], said[is_there]
        hits = words[1].relations.entail(said, value[use]) if len(use) else np.zeros(0, bool)
        loose = np.flatnonzero(is_one_sided[use] & ~hits)  # "animal" may be the dog that is to come
        hits[loose] = words[1].relations.between(said[loose], value[use[loose]]) == FITS
        is_told[pair[use[hits]]] = True
    return is_told


def pair_columns(best: Best, videos: pa.Table, strategy: str) -> pa.Table:
    """Return a row per pair, sorted by the ids of its videos."""
    ids = videos.column("video_id").to_pylist()
    flat = pc.list_flatten(whole_column(videos.column("stated")))
    numbers, local = np.unique(best.rows[:, 2:], return_inverse=True)
    stated = flat.take(pa.array(numbers)).to_pylist()
    columns: dict[str, list[Any]] = {name: [] for name in ROWS.names}
    for pair, (one, other) in enumerate(best.rows[:, :2].tolist()):
        reference, target = (stated[row] for row in local.reshape(-1, 2)[pair])
        captions = reference["caption"], target["caption"]
        values = (
            pair_id(ids[one], ids[other], *captions), ids[one], ids[other], *captions, strategy,
            *_told(reference, target, best.changes_PS[pair]), best.common_P[pair], best.reasons[pair],
        )  # fmt: skip
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value)
    return pa.table(columns, schema=ROWS).sort_by([("reference_id", "ascending"), ("target_id", "ascending")])


def _told(reference: dict, target: dict, changes_S: np.ndarray) -> tuple[list[dict], list[str], list[str], list[str]]:
    """Return the changes of a pair, and the words that it retains, injects and excludes."""
    before, after = ({each["slot"]: each for each in side["filled"]} for side in (reference, target))
    changed = [SLOTS[slot] for slot in np.flatnonzero(changes_S)]
    changes = [_change(slot, before.get(slot), after.get(slot)) for slot in changed]
    retained = {each["word"] for each in before.values()} & {each["word"] for each in after.values()}
    injected, excluded = ([side[slot]["word"] for slot in changed if slot in side] for side in (after, before))
    return changes, _names(retained), _names(injected), _names(excluded)


def _names(words: Iterable[str]) -> list[str]:
    return sorted(word.split(" ", 1)[1] for word in words)


def _change(slot: str, before: dict | None, after: dict | None) -> dict[str, Any]:
    """Return a change; of an addition the side before is empty, of a removal the one after."""
    kind = SLOT_OF.get(slot, "attribute")
    before, after = before or SILENT, after or SILENT
    return {
        "kind": "action" if kind == "action" else "static", "slot": kind, "before": before["said"],
        "after": after["said"], "before_phrase": before["phrase"], "after_phrase": after["phrase"],
    }  # fmt: skip

"""What mined pairs are worth against the truth of the synthetic world: the ruler of the tests."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pyarrow as pa

from cvr_data.language.words import words_of
from cvr_data.videos.synthetic.concepts import CHANGE_SLOTS, SLOTS, Concept, synthetic_word_meanings
from cvr_data.videos.synthetic.truth import Change, Truth, synthetic_concepts_named, synthetic_kind_of_change


@dataclass(frozen=True)
class MiningQuality:
    """How good mined pairs are, as shares between 0 and 1."""

    pairs: int
    precision: float
    """Pairs whose clips differ in exactly one slot."""
    recall: float
    """Of all ordered pairs of clips of one split that differ in exactly one slot, those that were mined."""
    typed: float
    """Of the right pairs, those with the right slot and kind of change."""


def valid_targets(truth: Truth, reference_id: str, changes: Sequence[Change]) -> frozenset[str]:
    """Return all clips of the reference's split that show its concept with the changes made.

    The words of a change are those of captions ("bouncing"). Empty if a word names no concept, or no clip fits.
    """
    wanted = truth.concept(reference_id)
    for change in changes:
        meaning = _meaning(change["after"])
        if meaning is None:
            return frozenset()
        wanted = replace(wanted, **{meaning[0]: meaning[1]})
    split = truth.splits[reference_id]
    found = (video_id for video_id in _clips_by_concept(truth).get(wanted, ()) if truth.splits[video_id] == split)
    return frozenset(found) - {reference_id}


def mining_quality(pairs: pa.Table, truth: Truth) -> MiningQuality:
    """Return precision and recall of mined pairs against the concepts of their clips."""
    rows = pairs.select(["reference_id", "target_id", "changes"]).to_pylist()
    right = [row for row in rows if len(_differences(truth, row)) == 1]
    possible = _one_slot_pairs(truth, {truth.splits[row["reference_id"]] for row in rows})
    mined = {(row["reference_id"], row["target_id"]) for row in rows}
    typed = sum(_is_typed(row["changes"], _differences(truth, row)[0]) for row in right)
    return MiningQuality(
        pairs=len(rows),
        precision=len(right) / len(rows) if rows else 0.0,
        recall=len(mined & possible) / len(possible) if possible else 0.0,
        typed=typed / len(right) if right else 0.0,
    )


def _differences(truth: Truth, row: Mapping[str, Any]) -> tuple[str, ...]:
    return truth.concept(row["reference_id"]).differences(truth.concept(row["target_id"]))


def _is_typed(changes: Sequence[Change], slot: str) -> bool:
    return [(change["kind"], change["slot"]) for change in changes] == [
        (synthetic_kind_of_change(slot), CHANGE_SLOTS[slot])
    ]


def _one_slot_pairs(truth: Truth, splits: Iterable[str]) -> set[tuple[str, str]]:
    wanted = set(splits)
    groups: dict[tuple[str, str, Concept], list[str]] = defaultdict(list)
    for video_id, concept in truth.concepts.items():
        for slot in SLOTS if truth.splits[video_id] in wanted else ():
            blank = _blanked(concept, slot)
            groups[truth.splits[video_id], slot, blank].append(video_id)
    return {
        (one, other)
        for members in groups.values()
        for one in members
        for other in members
        if truth.concepts[one] != truth.concepts[other]
    }


def _blanked(concept: Concept, slot: str) -> Concept:
    return replace(concept, **{slot: _first_value(slot)})


@cache
def _first_value(slot: str) -> str:
    return next(value for known, value in synthetic_word_meanings().values() if known == slot)


def _clips_by_concept(truth: Truth) -> dict[Concept, list[str]]:
    clips: dict[Concept, list[str]] = defaultdict(list)
    for video_id, concept in truth.concepts.items():
        clips[concept].append(video_id)
    return clips


def _meaning(text: str) -> tuple[str, str] | None:
    """Return the one (slot, value) that the words of a change name."""
    found = synthetic_concepts_named(words_of(text))
    return next(iter(found)) if len(found) == 1 else None

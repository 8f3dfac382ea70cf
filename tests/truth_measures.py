"""What mined pairs are worth against the truth of the synthetic world: the ruler of the tests."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pyarrow as pa

from cvr_data.language.edits import replaced, split_negated
from cvr_data.language.words import folded, stems, words_of
from cvr_data.videos.synthetic.concepts import ADJECTIVES, NOUNS, SLOTS, UNSAID, VERBS, Concept
from cvr_data.videos.synthetic.truth import Truth

Change = Mapping[str, str]
CHANGE_SLOTS = {
    "object": "object",
    "colour": "attribute",
    "texture": "attribute",
    "size": "attribute",
    "scene": "scene",
    "action": "action",
    "camera": "action",
}
"""Slot of the world -> slot of `changes` in the tables."""
_REMOVED = re.compile(r"\b(?:remove|take out|take away|delete)\b(.*?)(?=\band\b|,|;|\.|$)")
_CLAUSES = re.compile(r"[,;]\s*and\b|;|\band\s+(?=(?:change|have|let|make|move|put|replace|show|swap|turn)\b)")
_FROM = re.compile(r"\bfrom\b(.*?)(?=\bto\b|\binto\b)")


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
            blank = replace(concept, **{slot: _first_value(slot)})
            groups[truth.splits[video_id], slot, blank].append(video_id)
    return {
        (one, other)
        for members in groups.values()
        for one in members
        for other in members
        if truth.concepts[one] != truth.concepts[other]
    }


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


def synthetic_word_meanings() -> dict[str, tuple[str, str]]:
    """Return every word that names a concept, in all its forms -> (slot, value)."""
    meanings: dict[str, tuple[str, str]] = {}
    for slot, values in {**NOUNS, **ADJECTIVES}.items():
        for value, words in values.items():
            for word in words:
                forms = {word, f"{word}s", f"{word}es"} if slot == "object" else {word}
                meanings |= dict.fromkeys(forms, (slot, value))
    for slot, verbs in VERBS.items():
        for value, choices in verbs.items():
            for verb in choices:
                forms = {verb.particle} if verb.particle else {verb.base, verb.third, verb.gerund}
                meanings |= dict.fromkeys(forms, (slot, value))
    unsaid = {value: (slot, value) for slot, value in UNSAID.items()}
    return {**meanings, **unsaid, "mountain": ("scene", "mountains"), "wood": ("scene", "forest")}


def true_changes(reference: Concept, target: Concept) -> list[dict[str, str]]:
    """Return how the target differs, one change per slot, as the tables have them."""
    return [
        {
            "kind": synthetic_kind_of_change(slot),
            "slot": CHANGE_SLOTS[slot],
            "before": getattr(reference, slot),
            "after": getattr(target, slot),
        }
        for slot in reference.differences(target)
    ]


def text_is_correct(text: str, reference: Concept, target: Concept) -> bool:
    """Return whether a modification text leads from the reference to the target and nowhere else.

    It must ask for the target's value wherever the two differ, ask for nothing the target is not, and take back only
    what the reference has and the target has not. Words that name no concept of the world are ignored.
    """
    clauses = [_clause_sides(clause) for clause in _CLAUSES.split(folded(text))]
    sides = _Sides(
        asked=frozenset().union(*(clause.asked for clause in clauses)),
        removed=frozenset().union(*(clause.removed for clause in clauses)),
        old=frozenset().union(*(clause.old for clause in clauses)),
    )
    differing = reference.differences(target)
    return (
        all((slot, getattr(target, slot)) in sides.asked for slot in differing)
        and all(getattr(target, slot) == value for slot, value in sides.asked)
        and all(getattr(reference, slot) == value != getattr(target, slot) for slot, value in sides.removed)
        and all(value in (getattr(reference, slot), getattr(target, slot)) for slot, value in sides.old)
    )


def described_slots(description: str, concept: Concept) -> frozenset[str]:
    """Return the slots of a clip's concept whose value the description names.

    What it names beside is not counted against it: scenery has colours and movements of its own.
    """
    named = synthetic_concepts_named(words_of(description))
    return frozenset(slot for slot in SLOTS if (slot, getattr(concept, slot)) in named)


def synthetic_kind_of_change(slot: str) -> str:
    """Return the kind of a change of that slot."""
    return "action" if CHANGE_SLOTS[slot] == "action" else "static"


@cache
def _meanings() -> dict[str, tuple[str, str]]:
    return synthetic_word_meanings()


def synthetic_concepts_named(words: Iterable[str]) -> frozenset[tuple[str, str]]:
    """Return the (slot, value) of all words that name one, in any form; "medium-sized" names what "medium" does."""
    parts = (part for word in words for part in (word.split("-") if _concept_named(word) is None else [word]))
    return frozenset(meaning for part in parts if (meaning := _concept_named(part)) is not None)


def _concept_named(word: str) -> tuple[str, str] | None:
    return next((_meanings()[form] for form in [word, *sorted(stems(word))] if form in _meanings()), None)


@dataclass(frozen=True)
class _Sides:
    """The concepts a text asks for, takes back, and names as what is replaced."""

    asked: frozenset[tuple[str, str]]
    removed: frozenset[tuple[str, str]]
    old: frozenset[tuple[str, str]]


def _clause_sides(clause: str) -> _Sides:
    taken = synthetic_concepts_named(word for part in _REMOVED.findall(clause) for word in words_of(part))
    rest = _REMOVED.sub(" ", clause)
    affirmed, negated = split_negated(rest)
    turned = replaced(rest)
    old = synthetic_concepts_named(word for part in _FROM.findall(rest) for word in words_of(part))
    return _Sides(
        asked=(synthetic_concepts_named(turned[1]) if turned else frozenset()) or synthetic_concepts_named(affirmed),
        removed=taken | synthetic_concepts_named(negated),
        old=old | (synthetic_concepts_named(turned[0]) if turned else frozenset()),
    )

"""What the clips of the synthetic world really show: the ruler for mining, texts and rankings.

    truth = read_truth(Path("videos"))
    valid_targets(truth, "test-00012", pair["changes"])      # every clip that is the reference but for the change
    text_is_correct("make it blue", truth.concepts[reference_id], truth.concepts[target_id])

No stage reads the truth; only measurements do, and the texts of `cvr_data.modifications.truth_texts`, which are the
best possible.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError, first_few
from cvr_data.language.words import replaced, split_negated, stems, words_of
from cvr_data.videos.synthetic.concepts import CHANGE_SLOTS, SLOTS, Concept, word_meanings

TRUTH_FILE = "truth.parquet"
_REMOVED = re.compile(r"\b(?:remove|take out|take away|delete)\b(.*?)(?=\band\b|,|;|\.|$)")
_CLAUSES = re.compile(r"[,;]\s*and\b|;")
_FROM = re.compile(r"\bfrom\b(.*?)(?=\bto\b|\binto\b)")

Change = Mapping[str, str]


@dataclass(frozen=True)
class Truth:
    """The concept and the split of every clip, by video id."""

    concepts: Mapping[str, Concept]
    splits: Mapping[str, str]

    def concept(self, video_id: str) -> Concept:
        """Return what a clip shows.

        Raises:
            CvrError: the world has no such clip.
        """
        if video_id not in self.concepts:
            raise CvrError(f"The truth has no clip {video_id!r} (it has {first_few(self.concepts)}).")
        return self.concepts[video_id]


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


def read_truth(videos: Path) -> Truth:
    """Return the truth of a synthetic videos artifact, or of one that was made from it.

    Raises:
        CvrError: there is no truth file, so these videos are not of the synthetic world.
    """
    folder = Path(videos)
    while not (folder / TRUTH_FILE).exists():
        above = open_artifact(folder).manifest["inputs"].get("videos")
        if above is None:
            raise CvrError(f"{videos} has no {TRUTH_FILE}: the truth is known of `cvr import synthetic` only.")
        folder = Path(os.path.normpath(folder / above["path"]))
    rows = pq.read_table(folder / TRUTH_FILE, columns=["video_id", "split", *SLOTS]).to_pylist()
    return Truth(
        concepts={row["video_id"]: Concept(**{slot: row[slot] for slot in SLOTS}) for row in rows},
        splits={row["video_id"]: row["split"] for row in rows},
    )


def true_changes(reference: Concept, target: Concept) -> list[dict[str, str]]:
    """Return how the target differs, one change per slot, as the tables have them."""
    return [
        {
            "kind": _kind(slot),
            "slot": CHANGE_SLOTS[slot],
            "before": getattr(reference, slot),
            "after": getattr(target, slot),
        }
        for slot in reference.differences(target)
    ]


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


def text_is_correct(text: str, reference: Concept, target: Concept) -> bool:
    """Return whether a modification text leads from the reference to the target and nowhere else.

    It must ask for the target's value wherever the two differ, ask for nothing the target is not, and take back only
    what the reference has and the target has not. Words that name no concept of the world are ignored.
    """
    sides = _sides(text)
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
    named = _concepts(words_of(description))
    return frozenset(slot for slot in SLOTS if (slot, getattr(concept, slot)) in named)


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


def _kind(slot: str) -> str:
    return "action" if CHANGE_SLOTS[slot] == "action" else "static"


def _differences(truth: Truth, row: Mapping[str, Any]) -> tuple[str, ...]:
    return truth.concept(row["reference_id"]).differences(truth.concept(row["target_id"]))


def _is_typed(changes: Sequence[Change], slot: str) -> bool:
    return [(change["kind"], change["slot"]) for change in changes] == [(_kind(slot), CHANGE_SLOTS[slot])]


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
    return next(value for known, value in word_meanings().values() if known == slot)


def _clips_by_concept(truth: Truth) -> dict[Concept, list[str]]:
    clips: dict[Concept, list[str]] = defaultdict(list)
    for video_id, concept in truth.concepts.items():
        clips[concept].append(video_id)
    return clips


@cache
def _meanings() -> dict[str, tuple[str, str]]:
    return word_meanings()


def _meaning(text: str) -> tuple[str, str] | None:
    """Return the one (slot, value) that the words of a change name."""
    found = _concepts(words_of(text))
    return next(iter(found)) if len(found) == 1 else None


def _concepts(words: Iterable[str]) -> frozenset[tuple[str, str]]:
    found = set()
    for word in words:
        forms = [word, *sorted(stems(word))]
        known = next((form for form in forms if form in _meanings()), None)
        if known is not None:
            found.add(_meanings()[known])
    return frozenset(found)


@dataclass(frozen=True)
class _Sides:
    """The concepts a text asks for, takes back, and names as what is replaced."""

    asked: frozenset[tuple[str, str]]
    removed: frozenset[tuple[str, str]]
    old: frozenset[tuple[str, str]]


def _sides(text: str) -> _Sides:
    clauses = [_clause_sides(clause) for clause in _CLAUSES.split(text.lower())]
    return _Sides(
        asked=frozenset().union(*(clause.asked for clause in clauses)),
        removed=frozenset().union(*(clause.removed for clause in clauses)),
        old=frozenset().union(*(clause.old for clause in clauses)),
    )


def _clause_sides(clause: str) -> _Sides:
    taken = _concepts(word for part in _REMOVED.findall(clause) for word in words_of(part))
    rest = _REMOVED.sub(" ", clause)
    affirmed, negated = split_negated(rest)
    turned = replaced(rest)
    old = _concepts(word for part in _FROM.findall(rest) for word in words_of(part))
    return _Sides(
        asked=(_concepts(turned[1]) if turned else frozenset()) or _concepts(affirmed),
        removed=taken | _concepts(negated),
        old=old | (_concepts(turned[0]) if turned else frozenset()),
    )

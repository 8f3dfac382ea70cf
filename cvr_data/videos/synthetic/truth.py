"""What the clips of the synthetic world really show: the ruler for mining, texts and rankings.

    truth = read_truth(Path("videos"))
    text_is_correct("make it blue", truth.concepts[reference_id], truth.concepts[target_id])

No stage reads the truth; only measurements do, and the texts of `cvr_data.modifications.truth_texts`, which are the
best possible.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.places import place_from
from cvr_data.core.whole_files import read_parquet
from cvr_data.language.edits import replaced, split_negated
from cvr_data.language.words import folded, stems, words_of
from cvr_data.videos.synthetic.concepts import CHANGE_SLOTS, SLOTS, Concept, synthetic_word_meanings

TRUTH_FILE = "truth.parquet"
_REMOVED = re.compile(r"\b(?:remove|take out|take away|delete)\b(.*?)(?=\band\b|,|;|\.|$)")
_CLAUSES = re.compile(r"[,;]\s*and\b|;|\band\s+(?=(?:change|have|let|make|move|put|replace|show|swap|turn)\b)")
_FROM = re.compile(r"\bfrom\b(.*?)(?=\bto\b|\binto\b)")

Change = Mapping[str, str]


@dataclass(frozen=True)
class Truth:
    """The concept and the split of every clip, by video id."""

    concepts: Mapping[str, Concept]
    splits: Mapping[str, str]

    def concept(self, video_id: str) -> Concept:
        """Return what a clip shows. Raises CvrError: the world has no such clip."""
        if video_id not in self.concepts:
            raise CvrError(f"The truth has no clip {video_id!r} (it has {first_few(self.concepts)}).")
        return self.concepts[video_id]


def read_truth(videos: Path) -> Truth:
    """Return the truth of a synthetic videos artifact, or of one that was made from it.

    Raises:
        CvrError: there is no truth file, so these videos are not of the synthetic world.
    """
    folder = videos
    while not (folder / TRUTH_FILE).exists():
        above = open_artifact(folder).manifest["inputs"].get("videos")
        if above is None:
            raise CvrError(f"{videos} has no {TRUTH_FILE}: the truth is known of `cvr import synthetic` only.")
        folder = place_from(folder, above["path"])
    rows = read_parquet(folder / TRUTH_FILE, ["video_id", "split", *SLOTS]).to_pylist()
    return Truth(
        concepts={row["video_id"]: Concept(**{slot: row[slot] for slot in SLOTS}) for row in rows},
        splits={row["video_id"]: row["split"] for row in rows},
    )


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
    sides = _truth_sides(text)
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


def _truth_sides(text: str) -> _Sides:
    clauses = [_clause_sides(clause) for clause in _CLAUSES.split(folded(text))]
    return _Sides(
        asked=frozenset().union(*(clause.asked for clause in clauses)),
        removed=frozenset().union(*(clause.removed for clause in clauses)),
        old=frozenset().union(*(clause.old for clause in clauses)),
    )


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

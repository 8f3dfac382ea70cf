"""Which statements differ in one thing: rows of numbers, one per slot, compared with each other by arrays.

Slots are those of `language.statements`; a number is a word of the corpus, NOTHING a slot that nothing fills. Two
statements are a pair if one or a few slots are filled with words that exclude each other, no two words clash, and what
both tell has something specific (a thing that is no person, or what is done) and is much, next to what one tells alone.
The order of the two does not matter. What only one tells is a change where there is evidence on both sides: several
captions of the one name the thing, and of the other none of many does.
"""

# Shapes: N statements, P pairs, S slots, V words, G columns of GROUNDS.

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cvr_data.language.exclusion import CLASH, EXCLUDES, FITS, UNRELATED
from cvr_data.language.statements import AXES, ROLES, SLOTS
from cvr_data.pairs.search.relations import Relations

NOTHING = -1
BLOCK = 65_536
"""Pairs that are compared at once, which bounds the memory."""
AGENT, VERB, OBJECT, OTHER, PLACE, TIME = range(6)
CORE = (AGENT, VERB, OBJECT, PLACE)
"""Slots in which words that clash, or that nothing relates, make no pair."""
GROUNDS = (AGENT, VERB, OBJECT, OTHER, PLACE)
"""Slots whose words can be what two videos have in common."""
NOUN_OF = np.array([*range(6), *(SLOTS.index(role) for role in ROLES for _ in AXES)])
"""Slot -> the slot of the thing that it is about."""
ALL = 0.9
"""What two statements share, at least, of which words that nothing relates take each other's place."""
SURE, SPEAKS, PLURAL, MOVABLE = 1, 2, 4, 8
"""Evidence of a statement: several captions name what fills `other`; the video has so many that its silence counts;
several act; what fills `other` can come and go."""
VAGUELY = 0.5
"""What of its weight a word adds that fits another, and is not the same."""


@dataclass(frozen=True)
class Limits:
    """What a pair is."""

    rarity: float
    """Weight of a word, at least, that can be all that two statements have in common."""
    share: float
    """What both tell, as a share of that and of what one of them tells alone, at least."""
    changes: int
    additions: bool = False
    """Whether a thing that comes or goes is a change."""
    is_unsaid_enough: bool = False
    """Whether it is one though captions bear out neither that it is there nor that it is not."""


@dataclass(frozen=True)
class Words:
    """The words of a corpus."""

    weight_V: np.ndarray
    """How rare each is."""
    is_specific_V: np.ndarray
    """Whether it can be what two videos have in common."""
    relations: Relations


class Statements(NamedTuple):
    """Statements as rows."""

    words_NS: np.ndarray
    mass_N: np.ndarray
    """Weight of all that the caption of each names."""
    evidence_N: np.ndarray | None = None
    """Sum of SURE, SPEAKS and PLURAL; None where nobody asks for it."""

    def take(self, rows: np.ndarray) -> "Statements":
        """Return some of them."""
        evidence_N = None if self.evidence_N is None else self.evidence_N[rows]
        return Statements(self.words_NS[rows], self.mass_N[rows], evidence_N)

    def has(self, evidence: int) -> np.ndarray:
        """Return which have a kind of evidence."""
        if self.evidence_N is None:
            return np.zeros(len(self.mass_N), bool)
        return (self.evidence_N & evidence) > 0


class Compared(NamedTuple):
    """What is found of pairs of statements."""

    rows: np.ndarray
    """Those that are a pair."""
    changes_PS: np.ndarray
    """Of these, the slots that exclude each other."""
    ground_P: np.ndarray
    """What both tell, as a share of all that they tell beside the changes."""
    mass_P: np.ndarray
    """Weight of what both tell."""


def statement_pair_grounds(words_NG: np.ndarray, words: Words, rarity: float) -> np.ndarray:
    """Return which words of the columns GROUNDS are specific enough to be all that two statements share."""
    return (words_NG != NOTHING) & words.is_specific_V[words_NG] & (words.weight_V[words_NG] >= rarity)


def compare_statement_pairs(ones: Statements, others: Statements, words: Words, limits: Limits) -> Compared:
    """Return which rows of `ones` are a pair with the same row of `others`, and how."""
    rows = _near(ones, others, words, limits)
    ones, others = ones.take(rows), others.take(rows)
    filled_PS = (ones.words_NS != NOTHING).astype(np.int8) + (others.words_NS != NOTHING)
    same_PS = (filled_PS == 2) & (ones.words_NS == others.words_NS)
    relation_PS = np.full(same_PS.shape, NOTHING, np.int8)
    differ_PS = (filled_PS == 2) & ~same_PS
    if differ_PS.any():
        relation_PS[differ_PS] = words.relations.between(ones.words_NS[differ_PS], others.words_NS[differ_PS])
    changes_PS = _changes(relation_PS, same_PS)
    is_one_sided_P = _is_added(ones, others, limits) & _is_alike(relation_PS, same_PS, filled_PS)
    changes_PS[is_one_sided_P, OTHER] = True
    weights = words.weight_V[ones.words_NS], words.weight_V[others.words_NS]
    shared_PS = np.where(same_PS, weights[0], np.where(relation_PS == FITS, VAGUELY * np.minimum(*weights), 0.0))
    mass_P = shared_PS.sum(axis=1)
    changed_P = np.where(changes_PS, weights[0] + weights[1], 0.0).sum(axis=1)
    ground_P = _ground(mass_P, ones.mass_N + others.mass_N - changed_P)
    is_pair_P = _is_allowed(relation_PS, changes_PS, filled_PS, same_PS, limits) & (ground_P >= limits.share)
    is_pair_P |= is_one_sided_P & (ground_P >= limits.share)
    is_loose_P = ((relation_PS == UNRELATED) & changes_PS).any(axis=1)
    kept = np.flatnonzero(is_pair_P & (~is_loose_P | (ground_P >= ALL)))
    return Compared(rows[kept], changes_PS[kept], ground_P[kept], mass_P[kept])


def _ground(shared_P: np.ndarray, told_P: np.ndarray) -> np.ndarray:
    """Return the share of what both tell, of what both told together."""
    alone_P = np.maximum(told_P - 2 * shared_P, 0) / 2
    return np.round(shared_P / np.maximum(shared_P + alone_P, 1e-9), 5)


def _near(ones: Statements, others: Statements, words: Words, limits: Limits) -> np.ndarray:
    """Return the rows that could be a pair, whatever the words that differ are to each other."""
    first_PS, second_PS = ones.words_NS[:, : TIME + 1], others.words_NS[:, : TIME + 1]
    rows = np.flatnonzero((first_PS[:, VERB] == NOTHING) == (second_PS[:, VERB] == NOTHING))
    first_PS, second_PS = first_PS[rows], second_PS[rows]
    same_PS = (first_PS == second_PS) & (first_PS != NOTHING)
    differ_PS = (first_PS != second_PS) & (first_PS != NOTHING) & (second_PS != NOTHING)
    is_near = (statement_pair_grounds(first_PS[:, GROUNDS], words, limits.rarity) & same_PS[:, GROUNDS]).any(axis=1)
    is_near &= differ_PS[:, CORE].sum(axis=1) <= limits.changes + 1
    rows = rows[is_near]
    weights = [words.weight_V[side.words_NS[rows]] for side in (ones, others)]
    ours, theirs = ones.words_NS[rows], others.words_NS[rows]
    same_PS = (ours == theirs) & (ours != NOTHING)
    differ_PS = (ours != theirs) & (ours != NOTHING) & (theirs != NOTHING)
    most_P = np.where(same_PS, weights[0], np.where(differ_PS, VAGUELY * np.minimum(*weights), 0.0)).sum(axis=1)
    changed_P = np.where(differ_PS, weights[0] + weights[1], 0.0).sum(axis=1)
    ground_P = _ground(most_P, ones.mass_N[rows] + others.mass_N[rows] - changed_P)
    is_changed = differ_PS.any(axis=1) | _is_added(ones.take(rows), others.take(rows), limits)
    return rows[is_changed & (ground_P >= limits.share)]


def _is_added(ones: Statements, others: Statements, limits: Limits) -> np.ndarray:
    """Return where one side is sure of one more thing, of which the many captions of the other are silent."""
    found = np.zeros(len(ones.mass_N), bool)
    if not limits.additions:
        return found
    for said, silent in ((ones, others), (others, ones)):
        is_alone = (said.words_NS[:, OTHER] != NOTHING) & (silent.words_NS[:, OTHER] == NOTHING)
        is_borne_out = said.has(MOVABLE) if limits.is_unsaid_enough else said.has(SURE) & silent.has(SPEAKS)
        found |= is_alone & is_borne_out
    return found & (ones.has(PLURAL) == others.has(PLURAL))


def _is_alike(relation_PS: np.ndarray, same_PS: np.ndarray, filled_PS: np.ndarray) -> np.ndarray:
    """Return where the same is done by the same to the same at the same place: a thing can be all that differs."""
    stays_PS = same_PS | (relation_PS == FITS)
    is_alike = same_PS[:, VERB] & stays_PS[:, AGENT]
    is_alike &= (stays_PS[:, [OBJECT, PLACE]] | (filled_PS[:, [OBJECT, PLACE]] == 0)).all(axis=1)
    return is_alike & ((relation_PS == NOTHING) | (relation_PS == FITS)).all(axis=1)


def _changes(relation_PS: np.ndarray, same_PS: np.ndarray) -> np.ndarray:
    """Return the slots that exclude each other; attributes only of things that are the same or fit."""
    is_alike_PS = same_PS | (relation_PS == FITS)
    changes_PS = relation_PS == EXCLUDES
    changes_PS[:, OTHER] = False  # what is with the one and what is by the other exclude nothing
    changes_PS[:, TIME + 1 :] &= is_alike_PS[:, NOUN_OF[TIME + 1 :]]
    changes_PS[:, [AGENT, OBJECT]] |= (relation_PS[:, [AGENT, OBJECT]] == UNRELATED) & same_PS[:, [VERB]]
    return changes_PS


def _is_allowed(
    relation_PS: np.ndarray, changes_PS: np.ndarray, filled_PS: np.ndarray, same_PS: np.ndarray, limits: Limits
) -> np.ndarray:
    """Return where few slots change, none clashes, and what else is told of the change stays as it is.

    Args:
        relation_PS: of words that are not the same.
        changes_PS: the slots that exclude each other.
        filled_PS: in how many of the two statements a slot is filled.
        same_PS: the slots that have the same word.
        limits: how many may change.
    """
    count_P = changes_PS.sum(axis=1)
    is_bad_PS = (relation_PS == CLASH) | ((relation_PS == UNRELATED) & ~changes_PS)
    is_loose_P = ((relation_PS == UNRELATED) & changes_PS).any(axis=1)
    is_bad_P = is_bad_PS[:, CORE].any(axis=1)
    is_bad_P |= is_loose_P & (count_P > 1)
    stays_PS = same_PS | (relation_PS == FITS) | (filled_PS == 0)
    may_stay_PS = stays_PS | (filled_PS == 1)
    is_told_P = (filled_PS[:, OBJECT] == 0) & same_PS[:, AGENT] & same_PS[:, [OTHER, PLACE]].any(axis=1)
    is_bad_P |= changes_PS[:, VERB] & ~((same_PS[:, OBJECT] | is_told_P) & stays_PS[:, AGENT])
    is_bad_P |= changes_PS[:, OBJECT] & ~(stays_PS[:, VERB] & may_stay_PS[:, AGENT])
    is_bad_P |= changes_PS[:, AGENT] & ~(stays_PS[:, VERB] & may_stay_PS[:, OBJECT])
    is_bad_P |= changes_PS[:, [PLACE, TIME]].any(axis=1) & ~(
        stays_PS[:, VERB] & may_stay_PS[:, [AGENT, OBJECT]].all(axis=1)
    )
    return (count_P >= 1) & (count_P <= limits.changes) & ~is_bad_P


def statement_pair_blocks(starts: np.ndarray, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows of all pairs of rows within each group, about BLOCK at a time.

    Args:
        starts: where each group begins, and the end of the last.
        most: rows of a group that are compared with each other; a larger one is cut into pieces of so many.
    """
    ones, others, waiting = [], [], 0
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        for piece in range(start, end, most):
            first, second = np.triu_indices(min(most, end - piece), 1)
            for cut in range(0, len(first), BLOCK):
                ones.append(first[cut : cut + BLOCK] + piece)
                others.append(second[cut : cut + BLOCK] + piece)
                waiting += len(ones[-1])
                if waiting >= BLOCK:
                    yield np.concatenate(ones), np.concatenate(others)
                    ones, others, waiting = [], [], 0
    if waiting:
        yield np.concatenate(ones), np.concatenate(others)

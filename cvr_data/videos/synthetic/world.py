"""Which clips the synthetic world has: families of clips that share all concepts but a few.

A family is a grid: two or three slots take a few values each, the rest is fixed, so every clip has several neighbours
that differ in one slot, and "make it blue" said of many clips has as many answers. Some clips repeat a concept (a query
with several targets), some are described in words of their own (mining misses them), some leave an attribute out of
the caption (mining is wrong about them), and distractors have two slots changed, so that no query asks for them.

Splits are drawn apart, test first, from seeds of their own; a concept of one split is never used by another.
"""

import itertools
import random
from dataclasses import dataclass, replace

from cvr_data.videos.synthetic.concepts import SLOTS, UNSAID, VALUES, VERBS, Concept
from cvr_data.videos.synthetic.grammar import Wording, draw_synthetic_wording, synthetic_caption, synthetic_description

SPLIT_ORDER = ("test", "val", "train")
"""Test comes first, so that its clips do not depend on how many train clips are asked for."""
GRID_SHAPES = {
    "train": ((3, 3), (4, 2), (2, 2, 2)),
    "val": ((3, 3), (4, 2), (2, 2, 2)),
    "test": ((4, 4), (5, 4), (5, 3)),
}
"""Values per varied slot: small families give training variety, large ones give the test many near misses."""
SLOT_WEIGHTS = {"object": 4, "colour": 4, "texture": 2, "size": 1, "scene": 3, "action": 4, "camera": 1}
"""How often a slot is one of those that a family varies."""
UNSAID_SHARE = {"texture": 0.5, "size": 0.5, "camera": 0.6}
MISSING = 0.08
"""Share of the cells of a grid that have no clip, so that not everything asked for exists."""
REPEATED = 0.05
OWN_WORDING = 0.06
VAGUE = 0.03
DISTRACTORS = 0.15
"""Share of all clips of a split."""


@dataclass(frozen=True)
class Clip:
    """One clip of the world, before it is rendered."""

    video_id: str
    split: str
    concept: Concept
    caption: str
    description: str
    family: int
    role: str
    """family, repeat or distractor."""
    omitted: str | None
    """The attribute slot its caption leaves out."""
    pattern: str
    render_seed: str


@dataclass(frozen=True)
class _Draft:
    concept: Concept
    wording: Wording
    family: int
    role: str = "family"
    omitted: str | None = None

    @property
    def caption(self) -> str:
        return synthetic_caption(self.concept, self.wording, self.omitted)


def sample_synthetic_world(counts: dict[str, int], seed: int) -> list[Clip]:
    """Return the clips of all splits, train first; `counts` says how many each split has."""
    taken: set[Concept] = set()
    captions: set[str] = set()
    clips: dict[str, list[Clip]] = {}
    for split in SPLIT_ORDER:
        drafts = _SplitSampler(split, seed, frozenset(taken), frozenset(captions)).sample(counts[split])
        taken |= {draft.concept for draft in drafts}
        captions |= {draft.caption for draft in drafts}
        clips[split] = [_clip(draft, split, number, seed) for number, draft in enumerate(drafts)]
    return [clip for split in reversed(SPLIT_ORDER) for clip in clips[split]]


class _SplitSampler:
    def __init__(self, split: str, seed: int, taken: frozenset[Concept], captions: frozenset[str]):
        self.split, self.taken, self.captions = split, taken, captions
        self.generator = random.Random(f"{seed}/{split}")
        self.drafts: list[_Draft] = []

    def sample(self, count: int) -> list[_Draft]:
        distractors = round(count * DISTRACTORS)
        family = 0
        while len(self.drafts) < count - distractors:
            self._add(self._family(family), count - distractors)
            family += 1
        while len(self.drafts) < count:
            self._add([self._distractor()], count)
        self.generator.shuffle(self.drafts)
        return self.drafts

    def _add(self, drafts: list[_Draft], limit: int) -> None:
        new = [draft for draft in drafts if draft.concept not in self.taken and draft.caption not in self.captions]
        self.drafts += new[: limit - len(self.drafts)]

    def _family(self, family: int) -> list[_Draft]:
        generator = self.generator
        base = _draw_concept(generator)
        wording = draw_synthetic_wording(self.split, generator)
        drafts = []
        for concept in _concept_grid(base, generator.choice(GRID_SHAPES[self.split]), generator):
            if generator.random() < MISSING:
                continue
            own = draw_synthetic_wording(self.split, generator) if generator.random() < OWN_WORDING else wording
            vague = _vague_clip(concept, own, family, generator) if generator.random() < VAGUE else None
            draft = vague or _Draft(concept, own, family)
            drafts += [draft, replace(draft, role="repeat")] if generator.random() < REPEATED else [draft]
        return drafts

    def _distractor(self) -> _Draft:
        present = {draft.concept for draft in self.drafts}
        while True:
            near = self.generator.choice(self.drafts)
            values = _concept_values(near.concept)
            for slot in self.generator.sample(SLOTS, 2):
                values[slot] = self.generator.choice([value for value in VALUES[slot] if value != values[slot]])
            draft = _Draft(
                Concept(**values), draw_synthetic_wording(self.split, self.generator), near.family, "distractor"
            )
            if draft.concept not in present and not self._has_partner(draft.caption):
                return draft

    def _has_partner(self, caption: str) -> bool:
        words = caption.split()
        others = (draft.caption.split() for draft in self.drafts)
        return any(
            len(other) == len(words) and sum(a != b for a, b in zip(words, other, strict=True)) <= 1 for other in others
        )


def _draw_concept(generator: random.Random) -> Concept:
    values = {}
    for slot in SLOTS:
        said = [value for value in VALUES[slot] if value != UNSAID.get(slot)]
        is_unsaid = generator.random() < UNSAID_SHARE.get(slot, 0.0)
        values[slot] = UNSAID[slot] if is_unsaid else generator.choice(said)
    return Concept(**values)


def _concept_grid(base: Concept, shape: tuple[int, ...], generator: random.Random) -> list[Concept]:
    """Return the product of a few values of each of a few slots around the base."""
    varied = _draw_slots(len(shape), generator)
    choices = [_alternatives(base, slot, size, generator) for slot, size in zip(varied, shape, strict=True)]
    return [
        Concept(**{**_concept_values(base), **dict(zip(varied, cell, strict=True))})
        for cell in itertools.product(*choices)
    ]


def _draw_slots(count: int, generator: random.Random) -> list[str]:
    """Return so many slots, those with few values last."""
    weights = dict(SLOT_WEIGHTS)
    slots = []
    for _ in range(count):
        slot = generator.choices(list(weights), list(weights.values()))[0]
        slots.append(slot)
        del weights[slot]
    return sorted(slots, key=lambda slot: -len(VALUES[slot]))


def _alternatives(base: Concept, slot: str, count: int, generator: random.Random) -> list[str]:
    """Return at most `count` values of the slot that one word tells apart, the base's own first if it is said."""
    own = getattr(base, slot)
    said = [value for value in VALUES[slot] if value != UNSAID.get(slot)]
    if slot == "action":
        said = [value for value in said if _is_two_words(value) == _is_two_words(own)]
    others = [value for value in said if value != own]
    first = [own] if own in said else []
    return first + generator.sample(others, min(count - len(first), len(others)))


def _is_two_words(action: str) -> bool:
    return bool(VERBS["action"][action][0].particle)


def _vague_clip(concept: Concept, wording: Wording, family: int, generator: random.Random) -> _Draft | None:
    """Return a clip with one more attribute than its caption says, if there is one the caption need not say."""
    unsaid = [slot for slot in ("texture", "size") if getattr(concept, slot) == UNSAID[slot]]
    if not unsaid:
        return None
    slot = generator.choice(unsaid)
    said = [value for value in VALUES[slot] if value != UNSAID[slot]]
    shown = replace(concept, **{slot: generator.choice(said)})
    return _Draft(shown, wording, family, omitted=slot)


def _concept_values(concept: Concept) -> dict[str, str]:
    return {slot: getattr(concept, slot) for slot in SLOTS}


def _clip(draft: _Draft, split: str, number: int, seed: int) -> Clip:
    video_id = f"{split}-{number:05d}"
    return Clip(
        video_id=video_id,
        split=split,
        concept=draft.concept,
        caption=draft.caption,
        description=synthetic_description(draft.concept, random.Random(f"{seed}/{video_id}")),
        family=draft.family,
        role=draft.role,
        omitted=draft.omitted,
        pattern=draft.wording.pattern,
        render_seed=f"{seed}/{video_id}",
    )

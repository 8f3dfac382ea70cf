"""Captions as people write them for stock clips, and descriptions of about 80 words, both from a grammar.

Half of the sentence patterns are used by test clips only, so that nothing learns the test's wording.
"""

import random
from dataclasses import dataclass

from cvr_data.videos.synthetic.concepts import ADJECTIVES, NOUNS, SLOTS, UNSAID, VERBS, Concept, Verb

TRAIN_PATTERNS = (
    "{a things} {does} in front of the {scene}",
    "{things} {doing} over the {scene}",
    "view of {a things} {doing} above the {scene}",
    "the {scene} and {a things} that {does}",
    "animation of the {things} {doing} near the {scene}",
    "{a things} is {doing} against the {scene}",
    "at the {scene} the {things} {does}",
)
TEST_PATTERNS = (
    "there is {a things} {doing} at the {scene}",
    "in front of the {scene} {a things} {does}",
    "footage of {a things} that {does} by the {scene}",
    "close view of the {things} {doing} with the {scene} behind",
    "the {things} {does} over the {scene}",
    "the {scene} with {a things} {doing} above",
    "{a things} can be seen {doing} near the {scene}",
)
CAMERA_CLAUSES = {
    "train": (" as the camera {camera}", " and the camera {camera}"),
    "test": (" while the camera {camera}", " , the camera slowly {camera}"),
}


@dataclass(frozen=True)
class Wording:
    """How a caption says things: clips that share it differ in the words of their concepts only."""

    pattern: str
    camera_clause: str
    is_texture_first: bool
    """"striped red ball", else "red striped ball"."""
    synonyms: tuple[int, ...]
    """Which of its words a value of each slot is named by, modulo how many it has."""


def patterns_of(split: str) -> tuple[str, ...]:
    """Return the sentence patterns that clips of a split may use; those of test are its own."""
    return TEST_PATTERNS if split == "test" else TRAIN_PATTERNS


def draw_wording(split: str, generator: random.Random) -> Wording:
    """Return a random wording of the split."""
    return Wording(
        pattern=generator.choice(patterns_of(split)),
        camera_clause=generator.choice(CAMERA_CLAUSES["test" if split == "test" else "train"]),
        is_texture_first=generator.random() < 0.5,
        synonyms=tuple(generator.randrange(6) for _ in SLOTS),
    )


def caption_of(concept: Concept, wording: Wording, omitted: str | None = None) -> str:
    """Return the caption; `omitted` is an attribute slot that the writer did not bother to name."""
    verb = verb_of(concept, wording, "action")
    order = ("size", "texture", "colour") if wording.is_texture_first else ("size", "colour", "texture")
    said = [slot for slot in order if slot != omitted and getattr(concept, slot) != UNSAID.get(slot)]
    things = " ".join(word_of(concept, wording, slot) for slot in [*said, "object"])
    camera = ""
    if concept.camera != UNSAID["camera"]:
        camera = wording.camera_clause.format(camera=verb_of(concept, wording, "camera").third)
    caption = (wording.pattern + camera).format_map(
        {
            "things": things,
            "a things": with_article(things),
            "does": " ".join([verb.third, verb.particle]).strip(),
            "doing": " ".join([verb.gerund, verb.particle]).strip(),
            "scene": word_of(concept, wording, "scene"),
        }
    )
    return caption.replace(" ,", ",")


def word_of(concept: Concept, wording: Wording, slot: str) -> str:
    """Return the noun or adjective that names the value of a slot in this wording."""
    words = {**NOUNS, **ADJECTIVES}[slot][getattr(concept, slot)]
    return words[wording.synonyms[SLOTS.index(slot)] % len(words)]


def verb_of(concept: Concept, wording: Wording, slot: str) -> Verb:
    """Return the verb that names the action, or what the camera does, in this wording."""
    verbs = VERBS[slot][getattr(concept, slot)]
    return verbs[wording.synonyms[SLOTS.index(slot)] % len(verbs)]


def with_article(things: str) -> str:
    """Return "a ..." or "an ..."."""
    return f"{'an' if things[0] in 'aeiou' else 'a'} {things}"

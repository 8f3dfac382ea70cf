"""Captions as people write them for stock clips, and descriptions of about 80 words, both from a grammar.

Half of the sentence patterns are used by test clips only, so that nothing learns the test's wording.
"""

import random
from dataclasses import dataclass
from typing import Any

from cvr_data.videos.synthetic.concepts import ADJECTIVES, NOUNS, SLOTS, UNSAID, VERBS, Concept

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


def draw_synthetic_wording(split: str, generator: random.Random) -> Wording:
    """Return a random wording of the split."""
    return Wording(
        pattern=generator.choice(TEST_PATTERNS if split == "test" else TRAIN_PATTERNS),
        camera_clause=generator.choice(CAMERA_CLAUSES["test" if split == "test" else "train"]),
        is_texture_first=generator.random() < 0.5,
        synonyms=tuple(generator.randrange(6) for _ in SLOTS),
    )


def synthetic_caption(concept: Concept, wording: Wording, omitted: str | None = None) -> str:
    """Return the caption; `omitted` is an attribute slot that the writer did not bother to name."""
    verb = _synthetic_word(concept, wording, "action")
    order = ("size", "texture", "colour") if wording.is_texture_first else ("size", "colour", "texture")
    said = [slot for slot in order if slot != omitted and getattr(concept, slot) != UNSAID.get(slot)]
    things = " ".join(_synthetic_word(concept, wording, slot) for slot in [*said, "object"])
    camera = ""
    if concept.camera != UNSAID["camera"]:
        camera = wording.camera_clause.format(camera=_synthetic_word(concept, wording, "camera").third)
    caption = (wording.pattern + camera).format_map(
        {
            "things": things,
            "a things": synthetic_noun_with_article(things),
            "does": " ".join([verb.third, verb.particle]).strip(),
            "doing": " ".join([verb.gerund, verb.particle]).strip(),
            "scene": _synthetic_word(concept, wording, "scene"),
        }
    )
    return caption.replace(" ,", ",")


def _synthetic_word(concept: Concept, wording: Wording, slot: str) -> Any:
    """Return the noun, adjective or Verb that names the value of a slot in this wording."""
    named: dict[str, Any] = {**NOUNS, **ADJECTIVES, **VERBS}
    words = named[slot][getattr(concept, slot)]
    return words[wording.synonyms[SLOTS.index(slot)] % len(words)]


def synthetic_noun_with_article(things: str) -> str:
    """Return "a ..." or "an ..."."""
    return f"{'an' if things[0] in 'aeiou' else 'a'} {things}"


SCENES = {
    "beach": "pale sand in front, a line of white foam, turquoise water behind it and a clear sky above",
    "forest": "dark trunks standing close together, dense green leaves between them and brown soil below",
    "desert": "soft orange dunes, one behind the other, with long shadows under a hazy bright sky",
    "city": "rows of tall dark buildings with small lit windows under a dim violet evening sky",
    "mountains": "grey ridges with white snow on their peaks, under a blue sky with a few clouds",
    "meadow": "fresh green grass full of small bright flowers, stretching out under a light blue sky",
    "ocean": "nothing but deep blue water, rolling in long dark waves with bright reflections on top",
    "galaxy": "black space with glowing purple and blue clouds of gas and many white stars in it",
    "wall": "even rows of brown bricks with pale mortar in the joints and a few darker stones",
    "glacier": "jagged blocks of pale blue ice with bright white edges and deep cold cracks between them",
    "volcano": "a black cone with glowing red lava running down its sides under heavy dark smoke",
    "bookshelf": "several wooden boards, one above the other, crowded with the upright backs of many old books",
}
TEXTURES = {
    "plain": "Its surface is plain, without any pattern, and only the light makes one side of it darker",
    "striped": "Its surface is striped, with straight bands of two tones that run side by side across it",
    "spotted": "Its surface is spotted, with round dots of another tone in regular rows all over it",
    "checkered": "Its surface is checkered, with squares of two tones that take turns like those of a board",
}
SIZES = {
    "small": "It is small and fills only a little part of the picture",
    "medium": "It is of medium size and fills a fair part of the picture",
    "large": "It is large and fills a good part of the picture",
}
ACTIONS = {
    "moves left": "it moves left in a straight line, from the right side of the picture to the left side",
    "moves right": "it moves right in a straight line, from the left side of the picture to the right side",
    "moves up": "it moves up in a straight line, from the bottom of the picture to the top",
    "moves down": "it moves down in a straight line, from the top of the picture to the bottom",
    "bounces": "it bounces again and again, jumping up from the bottom and dropping back after each jump",
    "spins": "it spins around its own middle without leaving its place, more than one full turn",
    "grows": "it grows without leaving its place, until it is several times as wide as before",
    "shrinks": "it shrinks without leaving its place, until it is only a fraction of what it was",
    "fades": "it fades without leaving its place, and at the end one looks right through it",
    "circles": "it circles around the middle of the picture on a round path, without turning itself",
    "shakes": "it shakes quickly from side to side around one place, as if it were very nervous",
    "blinks": "it blinks without leaving its place, gone for a moment and back in the next",
    "swings": "it swings to and fro like a pendulum on an invisible string fixed far above it",
}
CAMERAS = {
    "still": "The camera stays still on a tripod from the first frame to the last",
    "pans": "The camera pans to the side, so that the whole background glides past",
    "zooms": "The camera zooms in, so that the whole background comes closer and closer",
    "tilts": "The camera tilts upwards, so that the whole background sinks down",
}
OPENINGS = (
    "This short clip shows {thing}",
    "The video shows {thing}",
    "We see {thing}",
    "In this clip there is {thing}",
)
BACKGROUNDS = ("The background is the {scene}: {look}", "Behind it lies the {scene}: {look}")
TIMES = ("During the clip", "Over the whole length", "From beginning to end", "As time goes by")


def synthetic_description(concept: Concept, generator: random.Random) -> str:
    """Return a description of 70 to 100 words that is true in every slot."""
    thing = synthetic_noun_with_article(f"{concept.colour} {concept.object}")
    background = generator.choice(BACKGROUNDS).format(scene=concept.scene, look=SCENES[concept.scene])
    middle = [TEXTURES[concept.texture], SIZES[concept.size], background]
    generator.shuffle(middle)
    sentences = [
        generator.choice(OPENINGS).format(thing=thing),
        *middle,
        f"{generator.choice(TIMES)} {ACTIONS[concept.action]}",
        CAMERAS[concept.camera],
    ]
    return " ".join(f"{sentence}." for sentence in sentences)

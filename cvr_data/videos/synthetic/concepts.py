"""The concepts of the synthetic world and every English word that names one of them.

A concept is one value per slot. `medium` size, `plain` texture and a `still` camera are what a caption leaves unsaid.
"""

from dataclasses import dataclass, fields

SLOTS = ("object", "colour", "texture", "size", "scene", "action", "camera")
UNSAID = {"texture": "plain", "size": "medium", "camera": "still"}

NOUNS: dict[str, dict[str, tuple[str, ...]]] = {
    "object": {
        "ball": ("ball", "sphere"),
        "cube": ("cube", "box"),
        "star": ("star",),
        "heart": ("heart",),
        "ring": ("ring", "hoop"),
        "umbrella": ("umbrella", "parasol"),
        "mushroom": ("mushroom", "toadstool"),
        "fish": ("fish",),
        "butterfly": ("butterfly",),
        "car": ("car",),
        "kite": ("kite",),
        "cup": ("cup", "mug"),
    },
    "scene": {
        "beach": ("beach", "shore"),
        "forest": ("forest", "woods"),
        "desert": ("desert",),
        "city": ("city", "skyline"),
        "mountains": ("mountains",),
        "meadow": ("meadow", "field"),
        "ocean": ("ocean", "sea"),
        "galaxy": ("galaxy",),
        "wall": ("wall",),
        "glacier": ("glacier",),
        "volcano": ("volcano",),
        "bookshelf": ("bookshelf",),
    },
}
ADJECTIVES: dict[str, dict[str, tuple[str, ...]]] = {
    "colour": {name: (name,) for name in ("red", "orange", "yellow", "green", "blue", "pink", "white", "black")},
    "texture": {"striped": ("striped",), "spotted": ("spotted", "dotted"), "checkered": ("checkered",)},
    "size": {"small": ("small", "tiny", "little"), "large": ("large", "big", "huge")},
}


@dataclass(frozen=True)
class Verb:
    """One verb in the forms that captions and modification texts use."""

    base: str
    third: str
    gerund: str
    particle: str = ""
    """A second word: `left` of "moves left"."""


def _verb(base: str, third: str, gerund: str) -> Verb:
    return Verb(base, third, gerund)


def _ways(particle: str) -> tuple[Verb, ...]:
    return (
        Verb("move", "moves", "moving", particle),
        Verb("drift", "drifts", "drifting", particle),
        Verb("slide", "slides", "sliding", particle),
    )


VERBS: dict[str, dict[str, tuple[Verb, ...]]] = {
    "action": {
        "moves left": _ways("left"),
        "moves right": _ways("right"),
        "moves up": _ways("up"),
        "moves down": _ways("down"),
        "bounces": (_verb("bounce", "bounces", "bouncing"),),
        "spins": (_verb("spin", "spins", "spinning"), _verb("rotate", "rotates", "rotating")),
        "grows": (_verb("grow", "grows", "growing"), _verb("expand", "expands", "expanding")),
        "shrinks": (_verb("shrink", "shrinks", "shrinking"),),
        "fades": (_verb("fade", "fades", "fading"), _verb("vanish", "vanishes", "vanishing")),
        "circles": (_verb("circle", "circles", "circling"),),
        "shakes": (_verb("shake", "shakes", "shaking"), _verb("tremble", "trembles", "trembling")),
        "blinks": (_verb("blink", "blinks", "blinking"), _verb("flash", "flashes", "flashing")),
        "swings": (_verb("swing", "swings", "swinging"),),
    },
    "camera": {
        "pans": (_verb("pan", "pans", "panning"),),
        "zooms": (_verb("zoom", "zooms", "zooming"),),
        "tilts": (_verb("tilt", "tilts", "tilting"),),
    },
}
VALUES: dict[str, tuple[str, ...]] = {
    slot: (*NOUNS.get(slot, ()), *ADJECTIVES.get(slot, ()), *VERBS.get(slot, ()))
    + ((UNSAID[slot],) if slot in UNSAID else ())
    for slot in SLOTS
}
"""Slot -> its values; one that is left unsaid comes last."""


@dataclass(frozen=True)
class Concept:
    """What a clip shows: one value per slot."""

    object: str
    colour: str
    texture: str
    size: str
    scene: str
    action: str
    camera: str

    def differences(self, other: "Concept") -> tuple[str, ...]:
        """Return the slots in which the other concept has another value."""
        return tuple(slot for slot in SLOTS if getattr(self, slot) != getattr(other, slot))

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) not in VALUES[field.name]:
                raise ValueError(
                    f"{field.name} must be one of {VALUES[field.name]}, got {getattr(self, field.name)!r}."
                )

"""What words mean, by WordNet: which is a person, a place, a time; which of two is above the other, or the same.

    lexicon = read_lexicon()
    lexicon.is_a("kitchen", "place")                 # True
    lexicon.relation("poppy", "flower", "noun")      # "below"
    lexicon.relation("talk", "speak", "verb")        # "same"

A caption shows things, so a word's concrete meanings come before its abstract ones unless they are rare. The tables
lie in `wordnet/`, beside WordNet's licence; annotations/make_lexicon.py makes them.

Source: Princeton University, WordNet 3.0, https://wordnet.princeton.edu.
"""

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import pyarrow as pa

from cvr_data.core.whole_files import read_parquet

FOLDER = Path(__file__).with_name("wordnet")
PARTS = ("noun", "verb", "adj", "adv")
Relation = Literal["same", "above", "below", "sibling", "apart"]
"""Of the first word to the second: "above" is a flower to a poppy."""

CONCRETE = frozenset((3, 5, 6, 8, 13, 15, 17, 18, 19, 20, 25, 27))
"""WordNet's files of things: the tops of all (person, plant ...), animal, artifact, body, food, location, object,
person, phenomenon, plant, shape, substance."""
GROUP = 14
SPEECH = ("talk", "speak", "inform", "state", "tell", "discuss", "say", "describe", "announce")
"""Verbs; what is below the first meaning of one says that something is said."""
GESTURES = frozenset("gesture indicate interview nod point signal wave".split())
"""Verbs below them that can be seen."""
FIRST = {"plant": 2}
"""Nouns of which captions mean another meaning first than the texts that WordNet counted."""
RARE = 0.1
"""A meaning that stands in texts less often than so many times the most frequent is not thought of first."""
CONSIDERED = 4
"""Meanings of a word that are looked at."""
NEAR_DEPTH = 4
"""Two nouns are siblings if what is above both is at least so many steps below the top."""
NEAR_STEPS = 6
"""... and not more steps away from the two, taken together."""

ROOTS: dict[str, tuple[tuple[str, int], ...]] = {
    "person": (("person", 1), ("people", 1), ("couple", 1), ("crowd", 1), ("team", 1), ("band", 2), ("family", 1)),
    "male": (("male", 2), ("father", 1), ("husband", 1), ("son", 1), ("groom", 1)),
    "female": (("female", 2), ("mother", 1), ("daughter", 1), ("actress", 1), ("bride", 1)),
    "grown": (("man", 1), ("woman", 1)),
    "child": (("child", 1), ("baby", 1)),
    "animal": (("animal", 1),),
    "plant": (("plant", 2),),
    "food": (("food", 1), ("food", 2), ("nutriment", 1), ("beverage", 1)),
    "body": (("body part", 1),),
    "vehicle": (("conveyance", 3),),
    "carrier": (("public transport", 1), ("aircraft", 1), ("ship", 1), ("boat", 1)),
    "furniture": (("furniture", 1),),
    "clothing": (("clothing", 1),),
    "container": (("container", 1),),
    "place": (
        ("location", 1), ("geological formation", 1), ("water", 2), ("land", 2), ("land", 4), ("porch", 1),
        ("building", 1), ("housing", 1), ("establishment", 4), ("area", 5), ("way", 6), ("facility", 1),
        ("pool", 1), ("platform", 1),
        ("vegetation", 1), ("atmosphere", 5), ("bridge", 1), ("tower", 1), ("stadium", 1), ("balcony", 1),
        ("balcony", 2), ("plaza", 1), ("room", 1), ("deck", 1), ("space", 1), ("outdoors", 1), ("galaxy", 1),
        ("building complex", 1),
        ("workplace", 1), ("floor", 1), ("floor", 2), ("excavation", 1),
        ("storage space", 1), ("geographic point", 1), ("topographic point", 1),
    ),
    "season": (("season", 2),),
    "time": (
        ("season", 2), ("day", 1), ("day", 4), ("night", 1), ("hour", 2), ("morning", 1), ("afternoon", 1),
        ("evening", 1), ("hour", 2), ("twilight", 1), ("sunset", 1), ("holiday", 2), ("christmas", 1),
    ),
    "weather": (("weather", 1), ("atmospheric phenomenon", 1), ("fog", 1), ("frost", 1)),
    "colour": (("color", 1),),
    "size": (("size", 1), ("size", 2)),
    "material": (("material", 1), ("substance", 1)),
    "event": (("event", 1),),
    "sport": (("sport", 1), ("game", 1), ("game", 2), ("game", 3)),
    "instrument": (("musical instrument", 1),),
    "group": (("group", 1),),
    "image": (("picture", 1), ("picture", 2), ("visual representation", 1)),
    "light": (("illumination", 1), ("illumination", 2)),
    "speech": (("message", 1), ("message", 2),),
}  # fmt: skip
"""Class -> the (word, number of the meaning) of nouns; what is below one is of the class."""
NOT_PLACES = (("top", 3), ("side", 1), ("line", 1), ("point", 2), ("position", 1), ("surface", 1), ("layer", 3),
    ("conduit", 1))  # fmt: skip
"""Meanings under "location" and "way" that are parts of things."""
AXES: dict[str, tuple[tuple[str, int], ...]] = {
    "size": (("size", 1), ("length", 1), ("width", 1), ("height", 1), ("thickness", 1), ("depth", 1)),
    "age": (("age", 1),),
    "colour": (("color", 1), ("value", 5), ("lightness", 3)),
    "temperature": (("temperature", 1),),
    "speed": (("speed", 2),),
    "wetness": (("wetness", 1),),
    "shape": (("shape", 2), ("curvature", 1)),
}  # fmt: skip
"""Axis -> the nouns that say of what an adjective is a value."""


ALONE, WITH_PLACE, WITH_THING = frozenset((1, 2, 3, 23)), frozenset((4, 12, 13, 22, 27)), frozenset((8, 9, 10, 11))
"""WordNet's sentence frames of a verb that says all by itself ("somebody laughs"), with where or whom, or with what."""


class Lexicon:
    """The tables, asked by lemma (lower case, a compound with a space) and part of speech."""

    def __init__(self, words: pa.Table, meanings: pa.Table):
        keys = zip(words.column("word").to_pylist(), words.column("part").to_pylist(), strict=True)
        self._row = {key: row for row, key in enumerate(keys)}
        self._meanings, self._counts = (_Lists(words.column(name)) for name in ("meanings", "counts"))
        self._file = meanings.column("file").to_numpy()
        self._above, self._axes, self._grouped, self._frames = (
            _Lists(meanings.column(name)) for name in ("above", "axes", "grouped", "frames")
        )
        self._ancestors: dict[int, dict[int, int]] = {}
        self._likely: dict[tuple[str, str], tuple[int, ...]] = {}

    def has(self, word: str, part: str) -> bool:
        """Whether a word is listed as that part of speech."""
        return (word, PARTS.index(part)) in self._row

    def meanings(self, word: str, part: str) -> tuple[int, ...]:
        """Return the meanings of a word, most frequent first."""
        row = self._row.get((word, PARTS.index(part)))
        return () if row is None else self._meanings[row]

    def counts(self, word: str, part: str) -> tuple[int, ...]:
        """Return how often each of `meanings` stands in the texts that WordNet counted, 255 at most."""
        row = self._row.get((word, PARTS.index(part)))
        return () if row is None else self._counts[row]

    def frequency(self, word: str, part: str) -> int:
        """Return how often a word stands as that part of speech in the texts that WordNet counted."""
        return sum(self.counts(word, part))

    def likely(self, word: str, part: str) -> tuple[int, ...]:
        """Return the meanings to think of first in a caption: for nouns the concrete ones, where they are not rare."""
        key = word, part
        if key not in self._likely:
            found, tally = self.meanings(word, part)[:CONSIDERED], self.counts(word, part)[:CONSIDERED]
            floor = max(tally, default=0) * RARE
            common = [meaning for meaning, count in zip(found, tally, strict=True) if count >= floor]
            concrete = [meaning for meaning in common if self._file[meaning] in CONCRETE] if part == "noun" else []
            if part == "noun" and not concrete and not any(self._file[meaning] == GROUP for meaning in common):
                concrete = [meaning for meaning in found if self._file[meaning] in CONCRETE]
            if part == "noun" and word in FIRST:
                concrete = [found[FIRST[word] - 1]]
            self._likely[key] = tuple(concrete or common)
        return self._likely[key]

    def is_a(self, word: str, name: str) -> bool:
        """Whether the first likely meaning of a noun is of a class of `ROOTS`."""
        return name in self.classes(word)

    @cached_property
    def _classes(self) -> dict[str, frozenset[str]]:
        return {}

    def classes(self, word: str) -> frozenset[str]:
        """Return the classes of the first likely meaning of a noun; of a compound that is not listed, of its head."""
        if word not in self._classes:
            found = self.likely(word, "noun")
            if not found and " " in word:
                return self.classes(word.split(" ", 1)[1])
            self._classes[word] = self._classes_of(found[0]) if found else frozenset()
        return self._classes[word]

    def may_be(self, word: str, name: str) -> bool:
        """Whether any meaning of a noun that is looked at is of a class of `ROOTS`."""
        return any(name in self._classes_of(meaning) for meaning in self.meanings(word, "noun")[:CONSIDERED])

    def _classes_of(self, meaning: int) -> frozenset[str]:
        above = self.ancestors(meaning)
        found = {name for name, roots in self._roots.items() if not roots.isdisjoint(above.keys())}
        if "place" in found and _nearest(above, self._part_roots) < _nearest(above, self._roots["place"]):
            found.discard("place")
        return frozenset(found)

    @cached_property
    def _roots(self) -> dict[str, frozenset[int]]:
        return {name: self._numbered(roots) for name, roots in ROOTS.items()}

    @cached_property
    def _part_roots(self) -> frozenset[int]:
        return self._numbered(NOT_PLACES)

    def _numbered(self, roots: Sequence[tuple[str, int]]) -> frozenset[int]:
        found = [(self.meanings(word, "noun"), number) for word, number in roots]
        return frozenset(meanings[number - 1] for meanings, number in found if len(meanings) >= number)

    def ancestors(self, meaning: int) -> dict[int, int]:
        """Return the meanings above one, itself too, with how many steps they are away."""
        if meaning not in self._ancestors:
            found = {meaning: 0}
            for above in self._above[meaning]:
                for number, steps in self.ancestors(above).items():
                    found[number] = min(found.get(number, steps + 1), steps + 1)
            self._ancestors[meaning] = found
        return self._ancestors[meaning]

    def is_speech(self, verb: str) -> bool:
        """Whether a verb says that something is said: talk, explain, discuss, report; not cry, count or wave."""
        above = (self.ancestors(meaning).keys() for meaning in self.meanings(verb, "verb")[:1])
        return verb not in GESTURES and any(not self._speech_roots.isdisjoint(found) for found in above)

    @cached_property
    def _speech_roots(self) -> frozenset[int]:
        return frozenset(meaning for verb in SPEECH for meaning in self.meanings(verb, "verb")[:1])

    def file_of_verb(self, verb: str) -> int | None:
        """Return WordNet's file of the most frequent meaning of a verb; None if it is not listed."""
        found = self.meanings(verb, "verb")
        return int(self._file[found[0]]) if found else None

    def may_stand(self, verb: str, frames: frozenset[int]) -> bool:
        """Whether a verb stands in one of WordNet's sentence frames in a meaning that is not rare, or is not listed."""
        found = self.likely(verb, "verb")
        return not found or any(not frames.isdisjoint(self._frames[meaning]) for meaning in found)

    def file_of_noun(self, noun: str) -> int | None:
        """Return WordNet's file of the first likely meaning of a noun; None if it is not listed."""
        found = self.likely(noun, "noun")
        return int(self._file[found[0]]) if found else None

    def files(self, noun: str) -> tuple[int, ...]:
        """Return WordNet's files of the meanings of a noun, that of the most frequent first."""
        return tuple(int(self._file[meaning]) for meaning in self.meanings(noun, "noun"))

    def is_kind(self, noun: str, other: str) -> bool:
        """Whether a meaning of a noun is below one of another."""
        above = {number for meaning in self.meanings(noun, "noun") for number in self.ancestors(meaning)}
        return not above.isdisjoint(self.meanings(other, "noun"))

    def verb_of(self, participle: str) -> str | None:
        """Return the verb of a word in -ing or -ed, the most frequent that it can be of; None if it is of none."""
        end = next((end for end in ("ing", "ed") if participle.endswith(end)), None)
        if end is None:
            return None
        stem = participle[: -len(end)]
        bases = (stem, stem + "e", stem[:-1] if stem[-1:] == stem[-2:-1] else stem)
        found = [base for base in bases if len(base) > 1 and self.has(base, "verb")]
        return max(found, key=lambda base: self.frequency(base, "verb"), default=None)

    def singular_of(self, plural: str, part: str = "noun") -> str | None:
        """Return the word of one in -es, -s or -ves, the most frequent: "vase" of "vases", "leaf" of "leaves"; or None.

        The first two endings make a verb's third person, too.
        """
        if self.has(plural, part):
            return None
        found = [plural[: -len(end)] for end in ("es", "s") if plural.endswith(end)]
        if plural.endswith("ves") and part == "noun":
            found += [plural[:-3] + end for end in ("f", "fe")]
        found = [base for base in found if len(base) > 2 and self.has(base, part)]
        return max(found, key=lambda base: self.frequency(base, part), default=None)

    def is_abstract(self, noun: str) -> bool:
        """Whether nothing that a noun likely means is a thing."""
        found = self.likely(noun, "noun")
        return bool(found) and not any(self._file[meaning] in CONCRETE for meaning in found)

    def axis(self, adjective: str) -> str | None:
        """Return of what an adjective is a value: size of "big", age of "old"; None if nothing of `AXES`."""
        found = {axis for meaning in self.likely(adjective, "adj") for axis in self._axes[meaning]}
        return next((name for name, roots in self._axis_roots.items() if not roots.isdisjoint(found)), None)

    @cached_property
    def _axis_roots(self) -> dict[str, frozenset[int]]:
        return {name: self._numbered(roots) for name, roots in AXES.items()}

    def relation(self, first: str, second: str, part: str) -> Relation:
        """Return how two words of one part of speech stand to each other, by the nearest of their likely meanings."""
        if first == second:
            return "same"
        ours, theirs = self.likely(first, part), self.likely(second, part)
        if any(meaning in theirs or not {*self._grouped[meaning]}.isdisjoint(theirs) for meaning in ours):
            return "same"
        for one in ours:
            for other in theirs:
                if one in self.ancestors(other):
                    return "above"
                if other in self.ancestors(one):
                    return "below"
        return "sibling" if any(self._are_siblings(one, other) for one in ours for other in theirs) else "apart"

    def _are_siblings(self, one: int, other: int) -> bool:
        ours, theirs = self.ancestors(one), self.ancestors(other)
        shared = [(ours[number] + theirs[number], number) for number in ours.keys() & theirs.keys()]
        if not shared:
            return False
        steps, nearest = min(shared)
        return steps <= NEAR_STEPS and max(self.ancestors(nearest).values()) >= NEAR_DEPTH


def _nearest(above: Mapping[int, int], roots: frozenset[int]) -> int:
    return min((steps for meaning, steps in above.items() if meaning in roots), default=len(above))


class _Lists:
    """A column of lists of numbers, of which few are asked for."""

    def __init__(self, column: pa.ChunkedArray):
        lists = column.combine_chunks()
        self._starts, self._items = lists.offsets.to_numpy(), lists.flatten().to_numpy()

    def __getitem__(self, row: int) -> tuple[int, ...]:
        return tuple(self._items[self._starts[row] : self._starts[row + 1]].tolist())


@cache
def read_lexicon() -> Lexicon:
    """Return the lexicon, read once per process."""
    return Lexicon(read_parquet(FOLDER / "words.parquet"), read_parquet(FOLDER / "meanings.parquet"))

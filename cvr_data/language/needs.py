"""What a verb cannot be said without: what is put, and where; at what somebody looks."""

from collections.abc import Sequence

from cvr_data.language.closed_words import DIRECTIONS, PLACE_ADVERBS
from cvr_data.language.countable import is_uncounted
from cvr_data.language.forms import article
from cvr_data.language.frames import Frame
from cvr_data.language.lexicon import ALONE, WITH_PLACE, WITH_THING, read_lexicon
from cvr_data.language.nouns import NOUN_TAGS

UNFINISHED = frozenset("belong come deal get go head lead lean look turn work".split())
"""Verbs that the lexicon lets stand alone, and that then tell nothing that is seen."""
WHOLE = frozenset("ccomp xcomp acomp oprd".split())
ENDS = ((), (".",), (",",), (":",), ("CC",))
"""Tags after a verb of which its caption tells nothing more."""
LONGEST = 6
"""Words of a phrase with a preposition."""


def verb_needs(
    frame: Frame, verb: int, lemma: str, said: Sequence[int], end: Sequence[str], other: Frame | None
) -> list[str] | None:
    """Return the words that a verb needs beside those `said` of the caption and those at its `end`; None if it has not.

    What it needs is told by WordNet's sentence frames: "somebody puts something somewhere".
    """
    sentence, lexicon = frame.sentence, read_lexicon()
    if not said and not end and sentence.tags[verb + 1 : verb + 2] in ENDS:
        return []  # as the caption says it
    particle = sentence.child(verb, "prt")
    name = lemma if particle is None else f"{lemma} {sentence.words[particle]}"
    name = name if lexicon.has(name, "verb") else lemma
    things = [word for word in said if sentence.deps[word] != "pobj" and sentence.tags[word] in (*NOUN_TAGS, "PRP")]
    particles = () if particle is None else (sentence.words[particle],)
    has_thing = bool(things) or any(word not in particles for word in end)
    if has_thing:
        is_enough = lexicon.may_stand(name, WITH_THING | ALONE)
    else:
        is_enough = lexicon.may_stand(name, ALONE) and lemma not in UNFINISHED
    if is_enough or any(sentence.deps[word] in (*WHOLE, "prep") or _is_where(frame, word) for word in said):
        return [] if is_enough or has_thing or lexicon.may_stand(name, WITH_PLACE) else None
    if not has_thing and not lexicon.may_stand(name, WITH_PLACE):
        return None
    return place_after(frame, verb, other)


def _is_where(frame: Frame, word: int) -> bool:
    words = frame.sentence.words
    return words[word] in DIRECTIONS or words[word] in PLACE_ADVERBS


def place_after(frame: Frame, verb: int, other: Frame | None) -> list[str] | None:
    """Return the phrase with a preposition that hangs on a verb: "on the table"; None if there is none."""
    sentence = frame.sentence
    at = next((child for child in sentence.children[verb] if child > verb and sentence.deps[child] == "prep"), None)
    noun = None if at is None else sentence.child(at, "pobj")
    if at is None or noun is None or noun - at > LONGEST:
        return None
    number = frame.thing_of(noun)
    words = [sentence.words[word] for word in range(at + 1, noun + 1)]
    if number is None or frame.things[number].head != noun:
        return None
    thing = frame.things[number]
    is_shared = other is not None and sentence.words[noun] in other.sentence.words
    if thing.determiner in ("a", "an") and is_shared:
        words = ["the", *words[1:]]
    elif not thing.determiner and thing.number == "singular" and not is_uncounted(sentence.words[noun], thing.name):
        words = ["the" if is_shared else article(words[0]), *words]
    return [sentence.words[at], *words]

"""The words of a caption that a change is about: those of its noun phrase, and of what has a trait that changes."""

from collections.abc import Sequence
from itertools import takewhile

from cvr_data.language.frames import Frame, Thing
from cvr_data.language.nouns import NOUN_TAGS
from cvr_data.language.verdicts import FUNCTION_TAGS
from cvr_data.language.words import words_of

TRAITS = ("attribute", "action")
"""Slots where a thing stays and only looks or acts otherwise."""
NEAR = 2
"""Words between a trait and the noun that has it."""


def own_words(slot: str, sides: Sequence[str], frame: Frame) -> set[str]:
    """Return the words of the noun phrases that a side of the change is in; of a trait, of those that have it, too."""
    found: set[str] = set()
    for word in (word for side in sides for word in _places(frame, side)):
        found |= _phrase_words(frame, word)
        if slot in TRAITS:
            found |= _holder_words(frame, word)
    return found


def _places(frame: Frame, phrase: str) -> list[int]:
    wanted = words_of(phrase)
    words = frame.sentence.words
    return [place for place, word in enumerate(words) if word in wanted]


def _phrase_words(frame: Frame, word: int) -> set[str]:
    """Return the words of the noun phrase that a word is in, and the noun beside it: "street" of "street sign"."""
    sentence = frame.sentence
    found = {sentence.words[word]}
    number = frame.thing_of(word)
    if number is not None:
        found |= _words_of_thing(frame, frame.things[number])
    near = (other for other in (word - 1, word + 1) if 0 <= other < len(sentence.words))
    return found | {sentence.words[other] for other in near if sentence.tags[other] in NOUN_TAGS}


def _holder_words(frame: Frame, word: int) -> set[str]:
    """Return the words of what a word is said of: who does what a verb says, and to what, and the noun it hangs on."""
    sentence = frame.sentence
    found: set[str] = set()
    for event in frame.events:
        if event.head in (word, sentence.heads[word]):
            things = [frame.things[thing] for thing in (event.agent, event.object) if thing is not None]
            found |= {said for thing in things for said in _words_of_thing(frame, thing)}
    head = sentence.heads[word]
    near = [other for other in (head, *sentence.children[word], *sentence.children[head]) if abs(other - word) <= NEAR]
    near += takewhile(lambda other: sentence.tags[other] not in FUNCTION_TAGS, range(word, len(sentence.words)))
    return found | {sentence.words[other] for other in near if sentence.tags[other] in NOUN_TAGS}


def _words_of_thing(frame: Frame, thing: Thing) -> set[str]:
    return set(frame.sentence.words[thing.first : thing.last + 1]) | {thing.name}

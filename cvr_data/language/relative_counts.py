"""How many more or fewer a text asks for: "one girl less", "two more dogs", "another man"."""

from collections.abc import Sequence

from cvr_data.language.closed_words import NUMERALS
from cvr_data.language.request_words import AWAY, REMOVING, TAKING

NUMBERS = {word: number for number, word in enumerate(NUMERALS)}
SINGLE = frozenset(("a", "an", "single"))
LESS, MORE = frozenset(("less", "fewer")), frozenset(("more", "another", "extra", "additional"))
NEAR = 2
"""Words between the amount and what says whether it comes or goes: "two of them less"."""


def number_of(phrase: str) -> int | None:
    """Return the number that the words of a phrase tell; None if they tell none."""
    found = [_value(word) for word in phrase.split()]
    return next((number for number in found if number is not None), None)


def number_words_come_to(words: Sequence[str], before: str, after: str) -> bool | None:
    """Return whether a text that counts from what was there comes to `after`; None where it does not count so."""
    old, new = number_of(before), number_of(after)
    if old is None or new is None:
        return None
    if words[:1] and words[0] in REMOVING | TAKING and (words[0] in REMOVING or not AWAY.isdisjoint(words)):
        said = number_of(" ".join(words))
        return None if not said else old - said == new
    place = next((place for place, word in enumerate(words) if word in LESS | MORE), None)
    if place is None:
        return None
    near = [*words[place + 1 : place + 2], *words[max(0, place - NEAR) : place][::-1]]
    said = next((number for number in map(_value, near) if number is not None), None)
    if said is None and words[place] != "another":
        return None  # "more snow", "less talking"
    step = (said or 1) if words[place] in MORE else -(said or 1)
    return old + step == new


def _value(word: str) -> int | None:
    if word.isdecimal() and word.isascii():
        return int(word)
    return 1 if word in SINGLE else NUMBERS.get(word)

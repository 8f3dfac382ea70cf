"""What a modification text asks for, as operations: what is done to which thing, what comes, and what goes.

    parsed_sentence_operations("make the car blue, not red", nouns={"car"})
    # (Operation("set", thing=(the, car), new=(blue,), gone=()), Operation("exclude", gone=(red,)))

A small grammar of requests, no parser of sentences: texts have five words, leave out half of a clause ("piano, not
guitar"), and begin with verbs that a tagger takes for nouns. `nouns` are the heads that the captions have; they tell
where a thing ends and what is said of it begins ("make the red car blue").
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple

from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.request_words import (
    ADDING,
    ARRIVING,
    AWAY,
    BE,
    BETWEEN,
    CHANGING,
    DETERMINERS,
    ENDING,
    JOINING,
    KEEPING,
    LEADING,
    LETTING,
    LINKS,
    MODAL,
    MOVING,
    NEGATIONS,
    PASSIVE,
    PRONOUNS,
    REMOVING,
    REPLACING,
    REQUESTS,
    SKIPPED,
    STAYING,
    SUBJECTS,
    TAKING,
    UNTOUCHED,
)  # fmt: skip
from cvr_data.language.stop_words import PREPOSITIONS_OF_PLACE
from cvr_data.language.words import folded, has_word, words_of

Act = Literal["replace", "set", "do", "move", "add", "remove", "exclude", "keep", "show"]
"""To exclude is to take back by a negation: "not red", "instead of red"."""


class Operation(NamedTuple):
    """One thing that a text asks for; all are words of the text, in order."""

    act: Act
    thing: tuple[str, ...] = ()
    """What it is done to: "the car" of "make the car blue"."""
    new: tuple[str, ...] = ()
    """What is there afterwards."""
    gone: tuple[str, ...] = ()
    """What is not."""
    verb: str = ""
    """What is done to the thing where no verb of asking says it: "close the door", "paint the car blue"."""
    is_whole: bool = True
    """Whether the request has its parts; "change red blue" lacks what stands between."""


_STOP = re.compile(r"[;:!?]|[.,](?!\d)|(?<=\s)[-\u2013\u2014](?=\s)")


def parsed_sentence_operations(text: str, nouns: Collection[str]) -> tuple[Operation, ...]:
    """Return the operations of a text in the order in which it says them."""
    return tuple(operation for clause in clauses_of(text) for operation in _operations(clause, nouns))


def clauses_of(text: str) -> Iterator[list[str]]:
    """Yield the words of each clause: parted by signs, and by "and" where another request follows."""
    for part in _STOP.split(folded(text)):
        clause: list[str] = []
        words = words_of(part)
        for place, word in enumerate(words):
            if word in JOINING and clause and _begins(words[place + 1 :]):
                yield clause
                clause = []
            else:
                clause.append(word)
        if clause:
            yield clause


def _begins(words: Sequence[str]) -> bool:
    rest = [word for word in words if word not in SKIPPED]
    return bool(rest) and (rest[0] in REQUESTS or _negation(rest, 0) > 0)


def _negation(words: Sequence[str], place: int) -> int:
    """Return how many words of a negation begin at a place; 0 if none does."""
    if words[place].endswith("n't") or words[place : place + 1] == ["dont"]:
        return 1
    return max((len(phrase) for phrase in NEGATIONS if tuple(words[place : place + len(phrase)]) == phrase), default=0)


def _operations(clause: Sequence[str], nouns: Collection[str]) -> Iterator[Operation]:
    words = list(clause)
    while words and words[0] in SKIPPED and _negation(words, 0) == 0:
        words.pop(0)
    if len(words) > 1 and words[0] in ("stop", "prevent"):
        yield from _stopped(words[1:])
        return
    if len(words) > 2 and words[-1] in ENDING and words[-2] in MODAL and not _has_negation(words):
        yield from _stopped(words[:-1])
        return
    if (kept := _staying(words)) is not None:
        yield kept
        return
    affirmed, gone = _parted(words)
    if affirmed:
        yield from _affirmed(affirmed, nouns)
    if gone:
        yield Operation("exclude", gone=tuple(gone))


def _stopped(words: Sequence[str]) -> Iterator[Operation]:
    """Yield what is stopped, also where the text says it first ("the jumping should stop"), and what follows.

    After "and", what does not end in -ing is asked for: "stop dancing and talk".
    """
    end = next(
        (place for place, word in enumerate(words) if word == "and" and _is_base(words[place + 1 :])), len(words)
    )
    gone = tuple(word for word in words[:end] if word not in ("from", *MODAL))
    yield Operation("exclude", new=("stop",), gone=gone)
    if end < len(words):
        yield Operation("show", new=tuple(words[end + 1 :]))


def _is_base(words: Sequence[str]) -> bool:
    lexicon = read_lexicon()
    return bool(words) and lexicon.frequency(words[0], "verb") > lexicon.frequency(words[0], "noun") / 2


def _staying(words: Sequence[str]) -> Operation | None:
    """Return what a clause keeps that says it of a thing: "everything else stays as it is"."""
    place = next((place for place, word in enumerate(words) if place and word in STAYING), None)
    if place is None or not UNTOUCHED.issuperset(words[place + 1 :]) or _has_negation(words):
        return None
    return Operation("keep", thing=tuple(word for word in words[:place] if word not in MODAL))


def _has_negation(words: Sequence[str]) -> bool:
    return any(_negation(words, place) for place in range(len(words)))


def _parted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words of a clause that are asserted, and those that a negation takes back."""
    affirmed: list[str] = []
    gone: list[str] = []
    place, is_negated, may_end = 0, False, False
    while place < len(words):
        length = _negation(words, place)
        if length:
            may_end = tuple(words[place : place + length]) in LEADING and not affirmed
            is_negated, place = True, place + length
            continue
        if is_negated and gone and (words[place] == "but" or (may_end and _restarts(words, place))):
            is_negated = False
        (gone if is_negated else affirmed).append(words[place])
        place += 1
    return [word for word in affirmed if word != "instead"], gone


def _restarts(words: Sequence[str], place: int) -> bool:
    if words[place] in DETERMINERS and words[place - 1].endswith("ing") and not MODAL.isdisjoint(words[place:]):
        return True  # "rather than jumping the kid should sit"
    return words[place] in REQUESTS or (words[place] in SUBJECTS and place + 1 < len(words))


def _affirmed(words: list[str], nouns: Collection[str]) -> Iterator[Operation]:
    verb, rest = words[0], words[1:]
    if len(words) == 3 and words[1] in ("to", "into"):
        yield Operation("replace", thing=(verb,), gone=(verb,), new=(words[2],))  # "red to blue"
    elif (passive := _passive(words)) is not None:
        yield passive
    elif "from" in words and "to" in words[words.index("from") + 1 :] and verb not in MOVING:
        yield _from_to(words)
    elif verb in REPLACING or (verb in CHANGING and _link(verb, rest) is not None):
        yield _replaced(verb, rest)
    elif verb in REMOVING or _is_taken_away(verb, rest):
        yield Operation("remove", gone=tuple(word for word in rest if word not in AWAY))
    elif verb in ADDING or (verb in ("bring", "put") and rest[:1] == ["in"]):
        yield Operation("add", new=tuple(rest))
    elif verb in KEEPING:
        yield Operation("keep", thing=tuple(rest))
    elif verb in MOVING:
        yield from _moved(rest)
    else:
        yield from _said(words, nouns)


def _is_taken_away(verb: str, rest: Sequence[str]) -> bool:
    """Whether "away", "out" or "off" ends what is said of a thing, or follows its verb: "leave out the onions"."""
    if verb == "take":
        return not AWAY.isdisjoint(rest)
    return (
        verb in TAKING and len(rest) > 1 and (rest[-1] == "away" or (verb == "leave" and "out" in (rest[0], rest[-1])))
    )


def _passive(words: Sequence[str]) -> Operation | None:
    for verb, after in PASSIVE.items():
        if verb in words[1:-1]:
            place = words.index(verb, 1)
            first = words[0] in LETTING
            if not after or words[place + 1] in after:
                thing = tuple(word for word in words[first:place] if word not in BE | MODAL)
                gone = thing if PRONOUNS.isdisjoint(thing) else ()
                return Operation("replace", thing=thing, gone=gone, new=tuple(words[place + 1 + bool(after) :]))
    middle = next((place for place, word in enumerate(words) if place > 1 and word in ("replace", "replaces")), None)
    if middle is None:
        return None
    return Operation(
        "replace", thing=tuple(words[middle + 1 :]), gone=tuple(words[middle + 1 :]), new=tuple(words[1:middle])
    )


def _from_to(words: Sequence[str]) -> Operation:
    first = words.index("from")
    second = words.index("to", first)
    thing = words[1:first] if words[0] in CHANGING | REPLACING | LETTING else words[:first]
    return Operation(
        "replace", thing=tuple(thing), gone=tuple(words[first + 1 : second]), new=tuple(words[second + 1 :])
    )


def _link(verb: str, rest: Sequence[str]) -> int | None:
    links = BETWEEN.get("replace" if verb in REPLACING else verb, BETWEEN[""])
    return next((place for place, word in enumerate(rest) if word in links), None)


def _replaced(verb: str, rest: Sequence[str]) -> Operation:
    place = _link(verb, rest)
    if place is None:
        return Operation("replace", thing=tuple(rest), gone=tuple(rest), is_whole=False)
    old, new = rest[:place], rest[place + 1 :]
    if verb == "substitute" and rest[place] == "for":
        old, new = new, old
    gone = tuple(word for word in old if word not in PRONOUNS)
    return Operation("replace", thing=tuple(old), gone=gone, new=tuple(new))


def _moved(rest: Sequence[str]) -> Iterator[Operation]:
    rest, gone = _left(rest)
    places = [place for place, word in enumerate(rest) if word in PREPOSITIONS_OF_PLACE or word in ("to", "under")]
    if not places:
        yield Operation("show", new=tuple(rest))
    else:
        yield Operation("move", thing=tuple(rest[: places[0]]), new=tuple(rest[places[0] :]), gone=gone)


def _left(rest: Sequence[str]) -> tuple[Sequence[str], tuple[str, ...]]:
    """Return the words of a move without what is left, and that: "the city" of "her from the city to a park"."""
    first = next((place for place, word in enumerate(rest) if _leaves(rest, place)), None)
    if first is None:
        return rest, ()
    ends = (place for place, word in enumerate(rest) if place > first + 1 and word in ARRIVING)
    last = next(ends, None)
    if last is None:
        return rest, ()
    return [*rest[:first], *rest[last:]], tuple(
        word for word in rest[first:last] if word not in ("and", "of", "from", "out")
    )


def _leaves(words: Sequence[str], place: int) -> bool:
    return words[place] in ("from", "off") or tuple(words[place : place + 2]) == ("out", "of")


def _said(words: list[str], nouns: Collection[str]) -> Iterator[Operation]:
    """Yield what is said of a thing: "make the car blue and the road red", "it should be her cat", "a blue one"."""
    verb = "" if words[0] in REQUESTS or not _is_act_on(words) else words[0]
    rest = words[1:] if words[0] in REQUESTS or verb else words
    for part in _coordinated(rest, nouns):
        thing, said = _split(part, nouns)
        if said and words[0] in CHANGING - LETTING and not (thing and thing[0] in PRONOUNS):
            yield Operation("set", thing=thing, new=said, is_whole=bool(set(said) & (DETERMINERS | LINKS | BE)))
        elif thing and said:
            yield Operation("do" if _is_done(said) else "set", thing=thing, new=said, verb=verb)
        else:
            is_whole = len(rest) < len(words) or not _is_heap(part, nouns)
            yield Operation("show", new=tuple(part), verb=verb, is_whole=is_whole)


def _is_act_on(words: Sequence[str]) -> bool:
    """Whether a text begins with a verb that is done to a thing: "paint the car blue"."""
    return len(words) > 2 and words[1] in ("the", "it", "her", "him", "them") and read_lexicon().has(words[0], "verb")


def _coordinated(words: Sequence[str], nouns: Collection[str]) -> Iterator[list[str]]:
    """Yield the parts of "the car blue and the road red": each a thing and what is said of it."""
    for place, word in enumerate(words):
        if word == "and" and words[place + 1 : place + 2] == ["the"]:
            parts = list(words[:place]), list(words[place + 1 :])
            if all(all(_split(part, nouns)) for part in parts):
                yield from parts
                return
    yield list(words)


def _split(words: Sequence[str], nouns: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words of the thing that words begin with, and what is said of it; no thing if they are one."""
    if not words:
        return (), ()
    if words[0] in PRONOUNS:
        length = 3 if tuple(words[1:3]) in (("of", "them"), ("of", "it")) else 1
        if words[0] == "her" and len(words) > 1 and has_word(nouns, words[1]):
            length = 2  # "her dress blue"
        return tuple(words[:length]), _told(words[length:])
    if words[0] not in DETERMINERS or words[0] in ("a", "an", "some", "any"):
        return (), tuple(words)
    for end in range(2, len(words)):
        if has_word(nouns, words[end - 1]) and not words[end - 1].endswith("'s"):
            return tuple(words[:end]), _told(words[end:])
    end = next((end for end in range(2, len(words)) if _is_noun(words[end - 1])), len(words))
    return (tuple(words[:end]), _told(words[end:])) if end < len(words) else ((), tuple(words))


def _told(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in BE and word != "should")


def _is_noun(word: str) -> bool:
    lexicon = read_lexicon()
    counts = [lexicon.frequency(word, part) for part in ("noun", "verb", "adj")]
    return lexicon.has(word, "noun") and counts[0] >= max(counts[1:])


def _is_done(words: Sequence[str]) -> bool:
    """Whether what is said of a thing begins with a verb."""
    lexicon = read_lexicon()
    return words[0].endswith("ing") or lexicon.frequency(words[0], "verb") > lexicon.frequency(words[0], "adj")


def _is_heap(words: Sequence[str], nouns: Collection[str]) -> bool:
    """Whether words only stand side by side, with a thing on both ends: "woman blue dress"."""
    joins = set(words) & (DETERMINERS | LINKS | BE | PRONOUNS | PREPOSITIONS_OF_PLACE | {"and", "of"})
    return len(words) == 3 and not joins and has_word(nouns, words[0]) and has_word(nouns, words[-1])

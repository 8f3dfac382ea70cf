"""Does a text, done to the reference, give the target: every required change, no other, and not the way back?

    change = Change("attribute", "red", "blue")
    outcome = outcome_of("make the woman blue", (change,), "a woman in a red dress", "a woman in a blue dress")
    outcome.reason                                               # "changes_something_else"

Words count as said if the text has a form of them or a word that the lexicon calls the same or a kind of it. What a
text says in other words stays open (`missed`): a sentence encoder can judge it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from cvr_data.language.frames import Frame, Thing, frames_of
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.naming import names
from cvr_data.language.nouns import NOUN_TAGS
from cvr_data.language.requests import DETERMINERS, PRONOUNS, Operation, operations_of
from cvr_data.language.stop_words import EDIT_WORDS, PREPOSITIONS_OF_PLACE, SMALL_WORDS
from cvr_data.language.strangers import is_at_hand, is_strange, last_of_phrase
from cvr_data.language.words import content_words, has_word, mentions, words_of


class Change(NamedTuple):
    """What a text has to say: empty `before` of an addition, empty `after` of a removal."""

    slot: str
    before: str
    after: str


TRAITS = ("attribute", "action")
"""Slots where a thing stays and only looks or acts otherwise."""
ALLOWED = 2
"""Words from nowhere that a request for the change itself may have."""
NEAR = 2
"""Words between a trait and the noun that has it."""


@dataclass(frozen=True)
class Outcome:
    """What came of a text: why it is wrong, if it is, and what of the change it says in words of its own."""

    reason: str | None = None
    missed: tuple[Change, ...] = ()
    """Changes whose `after` is not named."""
    excluded: tuple[str, ...] = ()
    """The words that negations of the text take back."""
    new: tuple[str, ...] = ()
    """The words that it asserts."""
    foreign: tuple[str, ...] = ()
    """Words of the text that stand in no caption, nor mean what one of theirs means."""


def required(changes: Sequence[Mapping[str, str | None]], style: str) -> tuple[Change, ...]:
    """Return the changes that a style is about: static and action texts leave out the other kind."""
    alike = [change for change in changes if change["kind"] == style] or changes
    return tuple(Change(change["slot"] or "", change["before"] or "", change["after"] or "") for change in alike)


@lru_cache(maxsize=16_384)
def outcome_of(text: str, changes: tuple[Change, ...], reference: str, target: str) -> Outcome:
    """Return what comes of a text between two captions; remembered, as several checks ask for it."""
    frames = frames_of((reference, target))
    return executed(text, changes, frames[reference], frames[target])


def executed(text: str, changes: Sequence[Change], reference: Frame, target: Frame) -> Outcome:
    """Return what comes of a text of these required changes."""
    operations = operations_of(text, _heads(reference, target))
    new = tuple(word for one in operations for word in _asserted(one))
    gone = tuple(word for one in operations for word in one.gone)
    excluded = tuple(word for one in operations if one.act == "exclude" for word in one.gone)
    missed = tuple(change for change in changes if not _comes(change, new, gone))
    pairs = product(changes, operations)
    reasons = (_wrong(operation, operations, change, reference, target) for change, operation in pairs)
    reason = next((found for found in reasons if found), None) or _way_back(changes, operations, missed)
    if reason is None and any(_is_denied(change, gone, new) for change in changes):
        reason = "misses_change"
    if reason is None and says_the_same(reference, target):
        reason = "no_op"
    return Outcome(
        reason, missed, excluded, new, tuple(_foreign(operations, changes, words_at_hand(changes, reference, target)))
    )


def says_the_same(reference: Frame, target: Frame) -> bool:
    """Return whether captions differ in articles and in forms of verbs only: "is talking", "talks"."""
    return reference.sentence.words != target.sentence.words and _told(reference) == _told(target)


def _told(frame: Frame) -> list[str]:
    sentence = frame.sentence
    return [
        sentence.lemmas[word] if sentence.tags[word].startswith("VB") else sentence.words[word]
        for word in frame.spoken
        if sentence.deps[word] not in ("aux", "auxpass", "det")
    ]


def _asserted(operation: Operation) -> Iterator[str]:
    if operation.act in ("replace", "keep"):
        yield from operation.new
    else:
        yield from (*filter(None, [operation.verb]), *operation.thing, *operation.new)


def _heads(*frames: Frame) -> frozenset[str]:
    """Return the heads of the things of captions; those that all have, if there are any."""
    found = [{frame.sentence.words[thing.head] for thing in frame.things} for frame in frames]
    return frozenset(set.union(*found))


def _comes(change: Change, new: Collection[str], gone: Collection[str]) -> bool:
    """Whether what should come in is asserted; of a removal, whether what should go is taken back."""
    if not change.after:
        return not change.before or names(gone, change.before)
    return names(new, change.after, change.before)


def _is_denied(change: Change, gone: Collection[str], new: Collection[str]) -> bool:
    """Whether what should come in is taken back, and not because it is a word of what goes, too."""
    after, before = change.after, change.before
    return bool(after) and mentions(gone, after) and not mentions(words_of(before), after)


def _way_back(changes: Sequence[Change], operations: Sequence[Operation], missed: Collection[Change]) -> str | None:
    """Return why a text that brings what should go is wrong: it goes back, or keeps both."""
    for change in changes:
        before, after = change.before, change.after
        if not content_words(words_of(before)) or not after or mentions(words_of(after), before):
            continue
        for operation in operations:
            if not names(operation.new, before, after) or (operation.act == "add" and change in missed):
                continue
            if mentions(operation.new, after):
                if mentions(operation.new, before) and not _is_one_phrase(operation.new, before, after):
                    return "changes_something_else"  # "play the guitar on a piano"
            elif change in missed or mentions((*operation.thing, *operation.gone), after) or operation.act != "show":
                return "wrong_direction"
    return None


def _is_one_phrase(words: Sequence[str], before: str, after: str) -> bool:
    """Whether what should go stands beside what comes: "a lotus flower", "a futuristic tunnel"."""
    sides = [[place for place, word in enumerate(words) if has_word(words_of(side), word)] for side in (before, after)]
    return any(abs(one - other) == 1 for one in sides[0] for other in sides[1])


def _wrong(
    operation: Operation, operations: Sequence[Operation], change: Change, reference: Frame, target: Frame
) -> str | None:
    """Return why an operation does not do the change: it has not all its parts, or is done to another thing."""
    after, before = change.after, change.before
    if operations.count(operation) > 1 and operation.act != "show":
        return "no_op"
    if not operation.is_whole:
        return "changes_something_else"
    if operation.act == "add" and change.slot == "attribute" and _is_quality(operation.new, after):
        return "changes_something_else"  # "add blue"
    if _brings_stranger(operation, change, reference, target):
        return "changes_something_else"
    if not before or not after or not mentions(operation.new, after):
        return None
    named = [word for word in operation.thing if word not in PRONOUNS | DETERMINERS]
    if not named or operation.act not in ("set", "do", "replace"):
        return None
    if operation.act == "replace" or change.slot in TRAITS:
        is_other = _is_other_thing(named, change, reference, target)
    else:
        is_other = mentions(named, before) and not _is_told(operation.new, after)
    return "changes_something_else" if is_other else None


def _brings_stranger(operation: Operation, change: Change, reference: Frame, target: Frame) -> bool:
    """Whether a thing is replaced that stays: "turn the ball into a blue elephant", where the ball's colour changes.

    So it is with things that are added, and with another thing of both captions that becomes one that neither has.
    """
    named = [word for word in operation.thing if word not in PRONOUNS | DETERMINERS]
    if change.slot in TRAITS and mentions(operation.new, change.after):
        stays = operation.act in ("replace", "set", "add")
    else:
        stays = operation.act == "replace" and bool(named) and _is_other_thing(named, change, reference, target)
    return stays and is_strange(last_of_phrase(operation.new), words_at_hand((change,), reference, target))


def _is_told(words: Sequence[str], after: str) -> bool:
    """Whether words say at once what something becomes: "a piano" of "make the guitar a piano", not "on a piano"."""
    place = next((place for place, word in enumerate(words) if has_word(words_of(after), word)), 0)
    return all(
        word in EDIT_WORDS or (word in SMALL_WORDS and word not in PREPOSITIONS_OF_PLACE) for word in words[:place]
    )


def _is_quality(words: Sequence[str], after: str) -> bool:
    """Whether words name a quality and nothing that has it: "add blue"."""
    lexicon, said = read_lexicon(), content_words(words)
    is_all = bool(said) and all(has_word(words_of(after), word) for word in said)
    return is_all and lexicon.frequency(said[-1], "adj") > lexicon.frequency(said[-1], "noun")


def _is_other_thing(named: Sequence[str], change: Change, reference: Frame, target: Frame) -> bool:
    """Whether words name a thing that both captions have, and neither what changes nor whose it is."""
    if mentions(named, change.before) or names(named, change.before, ""):
        return False
    own = {word for frame in (reference, target) for word in _own_words(change, frame)}
    if own <= {*words_of(change.before), *words_of(change.after)}:
        return False  # "at night" is of the whole caption
    if any(has_word(own, word) for word in content_words(named)):
        return False
    heads = _heads(reference) & _heads(target)
    others = [word for word in content_words(named) if has_word(heads, word)]
    return bool(others)


def _own_words(change: Change, frame: Frame) -> set[str]:
    """Return the words of the noun phrases that a side of the change is in; of a trait, of those that have it, too."""
    found: set[str] = set()
    for word in (word for side in (change.before, change.after) for word in _places(frame, side)):
        found |= _phrase_words(frame, word)
        if change.slot in TRAITS:
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
    near = (other for other in (head, *sentence.children[word], *sentence.children[head]) if abs(other - word) <= NEAR)
    return found | {sentence.words[other] for other in near if sentence.tags[other] in NOUN_TAGS}


def _words_of_thing(frame: Frame, thing: Thing) -> set[str]:
    return set(frame.sentence.words[thing.first : thing.last + 1]) | {thing.name}


def words_at_hand(changes: Sequence[Change], *frames: Frame) -> list[str]:
    """Return the words that a text may take: those of the captions and of the changes."""
    said = [word for change in changes for word in words_of(f"{change.before} {change.after}")]
    return [word for frame in frames for word in frame.sentence.words] + said


def _foreign(operations: Sequence[Operation], changes: Sequence[Change], known: Sequence[str]) -> Iterator[str]:
    """Yield the words that come from nowhere: not of the captions, the change or of asking, nor near one in meaning.

    A request that says what should come in may say it with two such words: "replace juicy grapes with white grapes".
    """
    for operation in operations:
        said = dict.fromkeys(content_words((*operation.thing, *operation.new, *operation.gone)))
        asserted = tuple(_asserted(operation))
        is_change = any(names(asserted, change.after, change.before) for change in changes)
        yield from [word for word in said if not is_at_hand(word, known)][ALLOWED if is_change else 0 :]

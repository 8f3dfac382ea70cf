"""Does a text, done to the reference, give the target: every required change, no other, and not the way back?

    change = Change("attribute", "red", "blue")
    captions = "a woman in a red dress", "a woman in a blue dress"
    outcome = phrase_change_outcome("make the woman blue", (change,), *captions)
    outcome.reason                                               # "changes_something_else"

Words count as said if the text has a form of them or a word that the lexicon calls the same or a kind of it. What a
text says in other words stays open (`missed`): a sentence encoder can judge it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from cvr_data.language.exclusion import EXCLUDES, relation_of
from cvr_data.language.frames import Frame, parsed_sentence_frames
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.naming import words_name_phrase
from cvr_data.language.own_words import TRAITS, own_words
from cvr_data.language.relative_counts import number_of, number_words_come_to
from cvr_data.language.request_words import DETERMINERS, PRONOUNS
from cvr_data.language.requests import Operation, parsed_sentence_operations
from cvr_data.language.stop_words import EDIT_WORDS, PREPOSITIONS_OF_PLACE, SMALL_WORDS
from cvr_data.language.strangers import is_strange, is_word_at_hand, last_of_phrase
from cvr_data.language.words import content_words, has_word, mentions, words_of


class Change(NamedTuple):
    """What a text has to say: empty `before` of an addition, empty `after` of a removal."""

    slot: str
    before: str
    after: str


ALLOWED = 2
"""Words from nowhere that a request for the change itself may have."""


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


def required_phrase_changes(changes: Sequence[Mapping[str, str | None]], style: str) -> tuple[Change, ...]:
    """Return the changes that a style is about: static and action texts leave out the other kind."""
    alike = [change for change in changes if change["kind"] == style] or changes
    return tuple(Change(change["slot"] or "", change["before"] or "", change["after"] or "") for change in alike)


@lru_cache(maxsize=16_384)
def phrase_change_outcome(text: str, changes: tuple[Change, ...], reference: str, target: str) -> Outcome:
    """Return what comes of a text between two captions; remembered, as several checks ask for it."""
    frames = parsed_sentence_frames((reference, target))
    return apply_phrase_changes(text, changes, frames[reference], frames[target])


def apply_phrase_changes(text: str, changes: Sequence[Change], reference: Frame, target: Frame) -> Outcome:
    """Return what comes of a text of these required changes."""
    operations = parsed_sentence_operations(text, _heads(reference, target))
    new = tuple(word for one in operations for word in _asserted(one))
    gone = tuple(word for one in operations for word in one.gone)
    excluded = tuple(word for one in operations if one.act == "exclude" for word in one.gone)
    counted = {change: number_words_come_to(words_of(text), change.before, change.after) for change in changes}
    missed = tuple(change for change in changes if not counted[change] and not _comes(change, new, gone, reference))
    pairs = product(changes, operations)
    reasons = (_wrong(operation, operations, change, reference, target) for change, operation in pairs)
    reason = next((found for found in reasons if found), None) or _way_back(changes, operations, missed, target)
    if reason is None and False in counted.values():
        reason = "wrong_direction"
    denied = any(_is_denied(change, gone, new) for change in changes)
    if reason is None and (denied or any(_is_another(change, new, target) for change in missed)):
        reason = "misses_change"
    if reason is None and is_same_sentence(reference, target):
        reason = "no_op"
    return Outcome(
        reason, missed, excluded, new, tuple(_foreign(operations, changes, words_at_hand(changes, reference, target)))
    )


def is_same_sentence(reference: Frame, target: Frame) -> bool:
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
        yield from (word for word in operation.thing if operation.act == "keep" and number_of(word) is not None)
    else:
        yield from (*filter(None, [operation.verb]), *operation.thing, *operation.new)


def _heads(*frames: Frame) -> frozenset[str]:
    """Return the heads of the things of captions; those that all have, if there are any."""
    found = [{frame.sentence.words[thing.head] for thing in frame.things} for frame in frames]
    return frozenset(set.union(*found))


def _comes(change: Change, new: Collection[str], gone: Collection[str], reference: Frame) -> bool:
    """Whether what should come in is asserted; of a removal, whether what should go is taken back."""
    if not change.after:
        return not change.before or words_name_phrase(gone, change.before)
    return words_name_phrase(new, change.after, change.before) or _names_head(
        new, change.after, change.before, reference
    )


def _names_head(words: Collection[str], phrase: str, other: str, frame: Frame) -> bool:
    """Whether words name the noun at the end of a phrase of several, which the other caption has not: "rack"."""
    said = content_words(words_of(phrase))
    if len(said) < 2 or not read_lexicon().has(said[-1], "noun") or has_word(words_of(other), said[-1]):
        return False
    return has_word(words, said[-1]) and not has_word(frame.sentence.words, said[-1])


def _is_denied(change: Change, gone: Collection[str], new: Collection[str]) -> bool:
    """Whether what should come in is taken back, and not because it is a word of what goes, too.

    A text that only takes back may name a part of it: "take the guitar away" of "plays guitar".
    """
    after, before = change.after, change.before
    if after and not content_words(new) and _is_part_denied(change, gone):
        return True
    return bool(after) and mentions(gone, after) and not mentions(words_of(before), after)


def _is_part_denied(change: Change, gone: Collection[str]) -> bool:
    own = [word for word in content_words(words_of(change.after)) if not has_word(words_of(change.before), word)]
    return any(has_word(gone, word) for word in own) and not mentions(gone, change.before)


def _is_another(change: Change, new: Collection[str], target: Frame) -> bool:
    """Whether a look that the target has not is asked for in the place of what should come in: green for blue."""
    if change.slot != "attribute":
        return False
    strange = [word for word in new if word not in target.sentence.words]
    return any(relation_of("adj", word, change.after) == EXCLUDES for word in strange)


def _way_back(
    changes: Sequence[Change], operations: Sequence[Operation], missed: Collection[Change], target: Frame
) -> str | None:
    """Return why a text that brings what should go is wrong: it goes back, or keeps both."""
    for change in changes:
        before, after = change.before, change.after
        if not content_words(words_of(before)) or not after or mentions(words_of(after), before):
            continue
        for operation in operations:
            is_back = words_name_phrase(operation.new, before, after) or _names_head(
                operation.new, before, after, target
            )
            if not is_back or (operation.act == "add" and change in missed):
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
    if _brings_stranger(operation, change, reference, target) or _is_put_into(operation, change, reference, target):
        return "changes_something_else"
    if not before and operation.act == "replace" and mentions(operation.new, after) and operation.gone:
        return "changes_something_else"  # what is added takes no other's place
    if not before or not after or not mentions(operation.new, after):
        return None
    named = [word for word in operation.thing if word not in PRONOUNS | DETERMINERS]
    if not named or operation.act not in ("set", "do", "replace"):
        return None
    if operation.act == "replace" and change.slot not in TRAITS and _is_placed(operation.new, after):
        return None  # "change the clouds to be over the moon"
    is_noun = operation.act == "set" and operation.new[:1] in (("a",), ("an",))  # "make her dress a riverbank"
    if operation.act == "replace" or change.slot in TRAITS or (is_noun and _is_told(operation.new, after)):
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


def _is_put_into(operation: Operation, change: Change, reference: Frame, target: Frame) -> bool:
    """Whether a thing that neither caption has is moved, or one of both into what comes in: "put the pan into it"."""
    if operation.act != "move":
        return False
    named = [word for word in operation.thing if word not in PRONOUNS | DETERMINERS]
    if named and is_strange(last_of_phrase(named), words_at_hand((change,), reference, target)):
        return True
    comes = [thing for thing in target.things if has_word(words_of(change.after), target.sentence.words[thing.head])]
    is_placed = change.slot != "object" or not comes or any(thing.preposition for thing in comes)
    return not is_placed and mentions(operation.new, change.after) and _is_other_thing(named, change, reference, target)


def _is_told(words: Sequence[str], after: str) -> bool:
    """Whether words say at once what something becomes: "a piano" of "make the guitar a piano", not "on a piano"."""
    place = next((place for place, word in enumerate(words) if has_word(words_of(after), word)), 0)
    return all(
        word in EDIT_WORDS or (word in SMALL_WORDS and word not in PREPOSITIONS_OF_PLACE) for word in words[:place]
    )


def _is_placed(words: Sequence[str], after: str) -> bool:
    """Whether what comes in stands after a preposition of place."""
    place = next((place for place, word in enumerate(words) if has_word(words_of(after), word)), 0)
    return not PREPOSITIONS_OF_PLACE.isdisjoint(words[:place])


def _is_quality(words: Sequence[str], after: str) -> bool:
    """Whether words name a quality and nothing that has it: "add blue"."""
    lexicon, said = read_lexicon(), content_words(words)
    is_all = bool(said) and all(has_word(words_of(after), word) for word in said)
    return is_all and lexicon.frequency(said[-1], "adj") > lexicon.frequency(said[-1], "noun")


def _is_other_thing(named: Sequence[str], change: Change, reference: Frame, target: Frame) -> bool:
    """Whether words name a thing that both captions have, and neither what changes nor whose it is."""
    if mentions(named, change.before) or words_name_phrase(named, change.before, ""):
        return False
    own = {word for frame in (reference, target) for word in own_words(change.slot, change[1:], frame)}
    if change.slot != "object" and own <= {*words_of(change.before), *words_of(change.after)}:
        return False  # "at night" is of the whole caption
    if any(has_word(own, word) for word in content_words(named)):
        return False
    heads = _heads(reference) & _heads(target)
    others = [word for word in content_words(named) if has_word(heads, word)]
    return bool(others)


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
        is_change = any(words_name_phrase(asserted, change.after, change.before) for change in changes)
        yield from [word for word in said if not is_word_at_hand(word, known)][ALLOWED if is_change else 0 :]

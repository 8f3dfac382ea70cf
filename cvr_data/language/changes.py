"""What differs between two captions: located, typed changes, each with what its words are and whether it counts.

    change = word_changes_between(reference, target)[0]        # two frames
    change.slot, change.before, change.after               # "action", "dance", "sing"
    change.before_phrase.start, change.before_phrase.head  # where it stands in its caption, and the noun it belongs to
    change.verdict, change.reason                          # "change", or "none" and why: "synonym", "same_lemma" ...

Captions that are alike but for some words are compared word by word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from cvr_data.language.frames import Frame, parsed_sentence_frame
from cvr_data.language.grafts import differing_word, graft_sentence_word
from cvr_data.language.parse import word_tokens
from cvr_data.language.verdicts import Verdict, word_change_verdict

MOST_IN_ONE = 6
"""Words between the common beginning and end of two captions that are one change; more are aligned word by word."""


@dataclass(frozen=True)
class Phrase:
    """One side of a change in its caption; of a side without words, where they would stand."""

    words: range
    start: int
    end: int
    head: str
    number: str
    determiner: str


@dataclass(frozen=True)
class Change:
    """One difference; kind is "action" exactly where the slot is."""

    kind: str
    slot: str
    before: str
    after: str
    before_phrase: Phrase
    after_phrase: Phrase
    verdict: Verdict
    reason: str
    """Why a change is weak or none; empty of one that counts."""


def word_changes_between(reference: Frame, target: Frame) -> list[Change]:
    """Return the differences of two captions in the order of the target's words."""
    reference, target = alike(reference, target)
    return [_change(reference, target, ours, theirs) for ours, theirs in differing_word_ranges(reference, target)]


def phrase_change(reference: Frame, target: Frame, before: str, after: str) -> Change:
    """Return the change of the words `before` to `after`: where the captions differ so, else where they first stand.

    A phrase that its caption has not is a side without words.
    """
    found = word_changes_between(reference, target)
    same = (change for change in found if (change.before, change.after) == (before, after))
    places = [_place_of(frame, phrase) for frame, phrase in ((reference, before), (target, after))]
    return next(same, None) or _change(reference, target, *places)


def _place_of(frame: Frame, phrase: str) -> range:
    """Return which of the spoken words of a caption a phrase is; no words at its end if it has not the phrase."""
    spoken = [frame.sentence.words[word] for word in frame.spoken]
    words = [word for word, _ in word_tokens(phrase)]
    for start in range(len(spoken) - len(words) + 1):
        if words and spoken[start : start + len(words)] == words:
            return range(start, start + len(words))
    return range(len(spoken), len(spoken))


def alike(reference: Frame, target: Frame) -> tuple[Frame, Frame]:
    """Return the frames of two captions that differ in one word read alike."""
    place = differing_word(reference.sentence.words, target.sentence.words)
    if place is None or reference.is_told or target.is_told:
        return reference, target
    found = graft_sentence_word(reference.sentence, target.sentence, place)
    frames = zip(found, (reference, target), strict=True)
    one, other = (
        frame if frame.sentence is sentence else parsed_sentence_frame(sentence) for sentence, frame in frames
    )
    return one, other


def differing_word_ranges(reference: Frame, target: Frame) -> list[tuple[range, range]]:
    """Return the stretches of words that differ, as ranges of each caption's words without punctuation."""
    ours, theirs = ([frame.sentence.words[word] for word in frame.spoken] for frame in (reference, target))
    first = _common(ours, theirs)
    last = _common(ours[first:][::-1], theirs[first:][::-1])
    middle = slice(first, len(ours) - last), slice(first, len(theirs) - last)
    if ours == theirs:
        return []
    if max(len(ours[middle[0]]), len(theirs[middle[1]])) <= MOST_IN_ONE:
        return [(range(first, len(ours) - last), range(first, len(theirs) - last))]
    found = SequenceMatcher(None, ours[middle[0]], theirs[middle[1]], autojunk=False).get_opcodes()
    return [(range(first + a, first + b), range(first + c, first + d)) for code, a, b, c, d in found if code != "equal"]


def _common(ours: list[str], theirs: list[str]) -> int:
    count = 0
    while count < min(len(ours), len(theirs)) and ours[count] == theirs[count]:
        count += 1
    return count


def _change(reference: Frame, target: Frame, ours: range, theirs: range) -> Change:
    before, after = ([frame.spoken[word] for word in span] for frame, span in ((reference, ours), (target, theirs)))
    judged = word_change_verdict(reference, target, before, after)
    return Change(
        kind="action" if judged.slot == "action" else "static",
        slot=judged.slot,
        before=_said(reference, before),
        after=_said(target, after),
        before_phrase=_phrase(reference, ours, judged.heads[0]),
        after_phrase=_phrase(target, theirs, judged.heads[1]),
        verdict=judged.verdict,
        reason=judged.reason,
    )


def _said(frame: Frame, side: Sequence[int]) -> str:
    """Return words with spaces between them; "women's" is one."""
    words = frame.sentence.words
    return "".join(words[word] if words[word][:1] in "'\u2019" else f" {words[word]}" for word in side).strip()


def _phrase(frame: Frame, span: range, head: int | None) -> Phrase:
    sentence = frame.sentence
    if not span:
        at = sentence.starts[frame.spoken[span.start]] if span.start < len(frame.spoken) else len(sentence.text)
        return Phrase(range(0), at, at, "", "", "")
    words = range(frame.spoken[span.start], frame.spoken[span.stop - 1] + 1)
    start, end = sentence.characters(words.start, words.stop - 1)
    noun = frame.noun_of(head) if head is not None else None
    if noun is None:
        return Phrase(words, start, end, "", "", "")
    determiner = sentence.child(noun, "det", "poss")
    said = sentence.words[determiner] if determiner is not None else ""
    return Phrase(words, start, end, sentence.words[noun], frame.number(noun), said)

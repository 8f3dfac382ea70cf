"""What differs and cannot be asked for: tense, articles, the film, what is not seen, words that are no phrase."""

from cvr_data.language.changes import Change
from cvr_data.language.closed_words import FILM, OF_FILM, STILL_SEEN
from cvr_data.language.closed_words import UNSEEN as UNSEEN_THINGS
from cvr_data.language.execution import is_same_sentence
from cvr_data.language.frames import Frame
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.noun_phrases import UNLIKE, UNLIKE_DEEDS, is_fragment, noun_kind, noun_time_axis
from cvr_data.language.nouns import NOUN_TAGS, is_film_noun, is_visible_noun
from cvr_data.language.roles import is_showing_verb
from cvr_data.language.stop_words import ARTICLES
from cvr_data.language.verbs import is_mostly_verb, is_sure

UNSEEN = ("same_lemma", "spelling", "word_order", "function_words", "topic", "not_visible")
"""Why a difference cannot be asked for."""
FELT = (7, 12, 26)
"""WordNet's files of attributes, feelings and states."""


class CannotSay(ValueError):
    """What differs cannot be asked for; the message is the reason, as a word."""


def check_modification_sayable(slot: str, found: Change, ours: Frame, theirs: Frame) -> None:
    """Raise if words differ in what cannot be asked for, or are no phrase.

    Raises:
        CannotSay: so.
    """
    if is_same_sentence(ours, theirs):
        raise CannotSay("same_lemma")
    if found.before and found.after and (slot == "other" or (found.verdict == "none" and found.reason in UNSEEN)):
        raise CannotSay(found.reason or "not_visible")
    if found.after in ARTICLES or found.before in ARTICLES:
        raise CannotSay("function_words")
    for frame, phrase in ((ours, found.before_phrase), (theirs, found.after_phrase)):
        if is_fragment(frame, phrase, slot):
            raise CannotSay("fragment")


def slot_for_modification(slot: str, ours: Frame, theirs: Frame, heads: tuple[int | None, int | None]) -> str:
    """Return the slot that a change is said as: nouns that were taken for verbs are things.

    Raises:
        CannotSay: what comes may be a verb or a noun.
    """
    after = heads[1]
    if slot == "action" and after is not None and _is_how(theirs, after):
        return "attribute"  # "reticulated python"
    if slot != "action" or after is None or not theirs.sentence.tags[after].startswith("VB") or is_sure(theirs, after):
        return slot
    lemmas = [
        frame.sentence.lemmas[head] for frame, head in zip((ours, theirs), heads, strict=True) if head is not None
    ]
    if all(read_lexicon().has(lemma, "noun") for lemma in lemmas):
        raise CannotSay("unsure")
    return slot


def _is_how(frame: Frame, word: int) -> bool:
    """Whether a participle in -ed qualifies the noun after it."""
    sentence = frame.sentence
    is_before = sentence.deps[word] == "amod" and sentence.heads[word] > word
    return is_before and sentence.tags[word] == "VBN" and sentence.words[word].endswith("ed")


def check_modification_seen(slot: str, frames: tuple[Frame, Frame], heads: tuple[int | None, int | None]) -> None:
    """Raise if a side names nothing that is seen, or the film, or a time where the other names a thing.

    Raises:
        CannotSay: so.
    """
    for frame, head in zip(frames, heads, strict=True):
        if head is not None:
            _check_side(slot, frame, head)
    if slot == "attribute" and heads[1] is not None and _is_felt(frames[1], heads[1]):
        raise CannotSay("unlike")  # "a sadness man"
    axes = [
        noun_time_axis(frame.sentence.lemmas[head]) if frame.sentence.tags[head] in NOUN_TAGS else ""
        for frame, head in zip(frames, heads, strict=True)
        if head is not None
    ]
    if slot == "object" and len(axes) == 2 and axes[0] and not axes[1]:
        raise CannotSay("unlike")
    if slot in ("object", "scene", "action") and None not in heads:
        kinds = {noun_kind(frame, head) for frame, head in zip(frames, heads, strict=True) if head is not None}
        if kinds in UNLIKE or (slot == "action" and kinds in UNLIKE_DEEDS):
            raise CannotSay("unlike")


def _check_side(slot: str, frame: Frame, head: int) -> None:
    """Raise if a side names the film or what is not seen, or may be a verb.

    Raises:
        CannotSay: so.
    """
    words, lemmas = frame.sentence.words, frame.sentence.lemmas
    if frame.sentence.tags[head].startswith("VB") and is_showing_verb(frame.sentence, head):
        raise CannotSay("film")
    if slot == "object" and lemmas[head] in UNSEEN_THINGS:
        raise CannotSay("not_visible")
    if slot == "attribute" and _is_of_film(frame, head):
        raise CannotSay("film")  # "background water"
    if slot == "attribute" and head == 0 and words[0] == lemmas[0] and is_mostly_verb(lemmas[0]):
        raise CannotSay("unsure")  # "get coffee"
    if slot == "action" and words[head + 1 : head + 2] == ("#",):
        raise CannotSay("unsure")  # "C opens #unsure"
    is_view = (
        slot in ("object", "scene") and is_film_noun(frame.sentence, head) and not is_visible_noun(frame.sentence, head)
    )
    if is_view and len(frame.sentence.words) > 1:
        raise CannotSay("film")  # "enters view"
    if words[head] in OF_FILM and head + 1 < len(words) and words[head + 1] in FILM:
        raise CannotSay("film")  # "wide shot"


def _is_of_film(frame: Frame, head: int) -> bool:
    """Whether a noun before another is one for the film, and none that can be seen: "background water"."""
    sentence = frame.sentence
    is_word = sentence.words[head] in FILM and (
        sentence.words[head] not in STILL_SEEN or "back" in sentence.words[head]
    )
    return is_word and sentence.tags[head] in NOUN_TAGS and frame.noun_of(head) not in (None, head)


def _is_felt(frame: Frame, head: int) -> bool:
    """Whether a noun for what is felt or how one is stands before someone."""
    sentence, lexicon = frame.sentence, read_lexicon()
    noun = frame.noun_of(head)
    if noun is None or noun == head or lexicon.has(sentence.words[head], "adj"):
        return False
    return lexicon.is_a(sentence.lemmas[noun], "person") and lexicon.file_of_noun(sentence.lemmas[head]) in FELT

"""A change with the words that say it: what goes and comes as phrases, whose it is, who does it, and where.

    found = located({"slot": "attribute", "before": "red", "after": "blue"}, "a red car drives", "a blue car drives")
    found.after.text, found.holder.text       # "blue", "the car"

Forms are those of the captions: article, number and compound come from the words around the change.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cvr_data.language.changes import Phrase, alike, change_of
from cvr_data.language.closed_words import FILM
from cvr_data.language.execution import says_the_same
from cvr_data.language.frames import Frame, frames_of
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.naming import head_of
from cvr_data.language.nouns import NOUN_TAGS
from cvr_data.modifications.realising.forms import article
from cvr_data.modifications.realising.holders import Holder, holder_of
from cvr_data.modifications.realising.verbs import verb_forms

UNSEEN = ("same_lemma", "spelling", "word_order", "function_words", "topic", "not_visible")
"""Why a difference cannot be asked for."""
MASS = (7, 12, 13, 19, 22, 26, 27)
"""WordNet's files of what is not counted: attribute, feeling, food, phenomenon, process, state, substance."""
ALIVE = ("person", "animal", "group")
TIMES = ("season", "weather", "time")
COUNTED = frozenset("a an one another each every".split())
LEADING = frozenset("DT PRP$ IN TO WDT EX CC".split())
LONGEST = 4
"""Words from a qualifier to its noun."""


@dataclass(frozen=True)
class Side:
    """What goes or comes: words as the caption has them, and as a phrase of its own."""

    text: str
    phrase: str
    """With its article: "a piano", "apples", "blue"."""
    is_plural: bool = False
    is_noun: bool = False
    is_state: bool = False
    """Whether a participle tells how something is: "looking bored"."""
    is_main: bool = False
    """Whether "it" can mean nothing else in the caption."""
    is_alive: bool = False
    preposition: str = ""
    """Before a place: "in"."""
    base: str = ""
    """Of an action: "play the guitar"; empty if it is none."""
    ing: str = ""


@dataclass(frozen=True)
class Located:
    """One change, ready to be said."""

    slot: str
    before: Side | None
    after: Side | None
    holder: Holder | None
    axis: str = ""
    """Of an attribute: count, colour ...; of a scene: time, season, weather or place."""
    is_number: bool = False
    """Whether only how many there are differs."""
    is_plural: bool = False
    """Whether what has the trait is several."""
    is_film: bool = False
    """Whether what has the trait is the view: "aerial view"."""
    old_whole: str = ""
    new_whole: str = ""
    """A qualifier with its noun and article: "the maple leaves", "oak leaves"; empty if it has none."""


class CannotSay(ValueError):
    """What differs cannot be asked for; the message is the reason, as a word."""


def located(change: Mapping[str, str | None], reference: str, target: str) -> Located:
    """Return a change (slot, before, after) between two captions with what its words need to be said.

    Raises:
        CannotSay: it is one of tense, articles, topics or the like.
    """
    frames = frames_of((reference, target))
    ours, theirs = alike(frames[reference], frames[target])
    before, after = change["before"] or "", change["after"] or ""
    found = change_of(ours, theirs, before, after)
    slot = change["slot"] or found.slot
    if says_the_same(ours, theirs):
        raise CannotSay("same_lemma")
    if before and after and (slot == "other" or (found.verdict == "none" and found.reason in UNSEEN)):
        raise CannotSay(found.reason or "not_visible")
    heads = _head(ours, found.before_phrase, before), _head(theirs, found.after_phrase, after)
    noun = _noun(theirs, heads[1]) if after else None
    old, new = _wholes(theirs, found.after_phrase, heads[1], before)
    return Located(
        slot=slot,
        before=_side(ours, found.before_phrase, before, heads[0], slot, theirs),
        after=_side(theirs, found.after_phrase, after, heads[1], slot, ours),
        holder=holder_of(ours, heads[0], slot) or _known(holder_of(theirs, heads[1], slot), ours),
        axis=_axis(theirs, heads[1], slot),
        is_number=heads[0] is not None and heads[1] is not None and _is_number(ours, theirs, heads[0], heads[1]),
        is_plural=_is_plural(theirs, heads[1]),
        is_film=noun is not None and noun in FILM,
        old_whole=old,
        new_whole=new,
    )


def _is_number(reference: Frame, target: Frame, ours: int, theirs: int) -> bool:
    one, other = (frame.sentence for frame in (reference, target))
    words = [(one.lemmas[ours], one.tags[ours]), (other.lemmas[theirs], other.tags[theirs])]
    return words[0][0] == words[1][0] and all(tag in NOUN_TAGS for _, tag in words)


def _is_plural(frame: Frame, head: int | None) -> bool:
    noun = frame.noun_of(head) if head is not None else None
    return noun is not None and frame.number(noun) == "plural"


def _known(holder: Holder | None, reference: Frame) -> Holder | None:
    """Return what the target tells a trait of if the reference has it, too."""
    return holder if holder is not None and holder.text.split()[-1] in reference.sentence.words else None


def _head(frame: Frame, phrase: Phrase, text: str) -> int | None:
    """Return the number of the word that a side is about; None if its caption has it not."""
    if not text:
        return None
    words = list(phrase.words) or _by_lemma(frame, text)
    content = [word for word in words if frame.sentence.tags[word] not in LEADING]
    if not content:
        return words[-1] if words else None
    verbs = [word for word in content if frame.roles[word] == "action" and frame.sentence.tags[word].startswith("VB")]
    tops = [word for word in content if frame.sentence.heads[word] not in content or frame.sentence.heads[word] == word]
    return (verbs or tops or content)[0] if verbs else (tops or content)[-1]


def _by_lemma(frame: Frame, text: str) -> list[int]:
    """Return where a concept stands, told as a lemma: "dog" in "two dogs"."""
    wanted = text.split()
    lemmas = list(frame.sentence.lemmas)
    starts = (start for start in range(len(lemmas)) if lemmas[start : start + len(wanted)] == wanted)
    start = next(starts, None)
    return list(range(start, start + len(wanted))) if start is not None else []


def _side(frame: Frame, phrase: Phrase, text: str, head: int | None, slot: str, other: Frame) -> Side | None:
    if not text:
        return None
    said = _bare(frame, phrase, text)
    if head is None:
        return Side(said, said)
    sentence = frame.sentence
    is_noun = sentence.tags[head] in NOUN_TAGS
    is_plural = sentence.tags[head] in ("NNS", "NNPS")
    is_verb = slot == "action" or sentence.tags[head] == "VBG"
    base, ing = verb_forms(frame, phrase, head, other) if is_verb else ("", "")
    thing = frame.thing_of(head)
    return Side(
        text=said,
        phrase=_with_article(frame, said, head) if is_noun and slot != "attribute" else said,
        is_plural=is_plural,
        is_noun=is_noun,
        is_state=sentence.tags[head] in ("VBN", "VBD") and text.endswith("ed") and _hangs(frame, head),
        is_main=thing is not None and _is_main(frame, thing),
        is_alive=is_noun
        and not read_lexicon().classes(sentence.lemmas[head]).isdisjoint(("person", "animal", "group")),
        preposition=frame.things[thing].preposition if thing is not None and frame.things[thing].head == head else "",
        base=base,
        ing=ing,
    )


def _hangs(frame: Frame, head: int) -> bool:
    """Whether a participle tells how a thing is: "surprised man", "looking bored"; not what is done to it."""
    sentence = frame.sentence
    is_told = sentence.child(head, "nsubj", "nsubjpass", "auxpass", "dobj") is not None
    return not is_told or sentence.words[max(head - 1, 0)] in ("looking", "looks", "look")


def _is_main(frame: Frame, number: int) -> bool:
    """Whether a thing is the first of its caption, or the only one that is no person and no place."""
    others = [thing for thing in frame.things if thing is not frame.things[number] and thing.slot == "object"]
    return number == 0 or all(thing.is_person for thing in others)


def _bare(frame: Frame, phrase: Phrase, text: str) -> str:
    """Return the words of a side without what only leads to it: articles, prepositions."""
    words = [word for word in phrase.words if frame.sentence.tags[word] not in (",", ".", ":")]
    while len(words) > 1 and frame.sentence.tags[words[0]] in LEADING:
        words.pop(0)
    said = " ".join(frame.sentence.words[word] for word in words).replace(" 's", "'s")
    return said or text.lower()


def _with_article(frame: Frame, said: str, head: int) -> str:
    """Return a noun phrase as it comes in: "a piano", "apples", "coffee", "the sea"."""
    sentence, lexicon = frame.sentence, read_lexicon()
    noun = frame.noun_of(head)
    noun = head if noun is None else noun
    determiner = sentence.child(noun, "det", "poss", "nummod")
    told = sentence.words[determiner] if determiner is not None else ""
    if sentence.tags[noun] in ("NNS", "NNPS") or noun != head:
        return said if noun == head else f"{article(said)} {said}"
    if told == "the" and frame.roles[head] == "scene":
        return f"the {said}"
    is_known = lexicon.has(head_of(sentence.lemmas[head]), "noun")
    is_food = any(lexicon.relation(sentence.lemmas[head], kind, "noun") == "below" for kind in ("fruit", "vegetable"))
    is_mass = not is_food and (lexicon.file_of_noun(sentence.lemmas[head]) in MASS or said.endswith("ing"))
    is_mass = is_mass or not is_known
    if is_mass and told not in COUNTED:
        return said
    times = any(lexicon.is_a(sentence.lemmas[head], name) for name in TIMES)
    return said if times and told not in COUNTED else f"{article(said)} {said}"


def _noun(frame: Frame, head: int | None) -> str | None:
    noun = frame.noun_of(head) if head is not None else None
    if noun is None and head is not None:
        top = frame.sentence.heads[head]
        noun = top if frame.sentence.tags[top] in NOUN_TAGS else None
    return frame.sentence.words[noun] if noun is not None else None


def _axis(frame: Frame, head: int | None, slot: str) -> str:
    if head is None:
        return ""
    if slot == "scene":
        lexicon, lemma = read_lexicon(), frame.sentence.lemmas[head]
        if frame.sentence.tags[head].startswith("JJ"):
            return "weather"
        return next((name for name in TIMES if lexicon.is_a(lemma, name)), "place")
    for thing in frame.things:
        for attribute in thing.attributes:
            if attribute.word == head:
                return attribute.axis
    return "kind" if frame.sentence.tags[head] in NOUN_TAGS else ""


def _wholes(frame: Frame, phrase: Phrase, head: int | None, before: str) -> tuple[str, str]:
    """Return what goes and comes with the noun that it qualifies in the target: "the maple leaves", "oak leaves"."""
    noun = frame.noun_of(head) if head is not None else None
    if not phrase.words or noun is None or not 0 < noun - phrase.words[-1] <= LONGEST:
        return "", ""
    words = frame.sentence.words
    tail = " ".join(words[word] for word in range(phrase.words[-1] + 1, noun + 1))
    return f"the {before.lower()} {tail}", _with_article(frame, f"{_bare(frame, phrase, '')} {tail}", noun)

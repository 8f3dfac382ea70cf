"""Whose a change is: what has a trait, who acts, what is somewhere."""

from collections.abc import Iterator
from dataclasses import dataclass

from cvr_data.language.closed_words import CAMERA_MOVES
from cvr_data.language.countable import noun_is_counted
from cvr_data.language.frames import Frame, Thing
from cvr_data.language.lexicon import Lexicon, read_lexicon
from cvr_data.language.noun_phrases import BODY, noun_of
from cvr_data.language.nouns import NOUN_TAGS, is_film_noun, is_visible_noun, preposition
from cvr_data.language.parse import Sentence
from cvr_data.language.verbs import acting, attributed, noun_name_in

OUTLINES = frozenset("face figure portrait reflection shadow silhouette".split())


@dataclass(frozen=True)
class Holder:
    """The thing that a trait is of, or who acts."""

    text: str
    """With "the"."""
    pronoun: str
    is_only: bool
    is_alive: bool = False
    """Whether a pronoun can mean nothing else in the reference."""


def modification_holder(frame: Frame, head: int | None, slot: str) -> Holder | None:
    """Return what a trait is of, or who does an action; of other changes nothing."""
    if head is None:
        return None
    if slot == "action":
        number = _agent(frame, head)
        if number is not None and (owner := _owner(frame, number)) is not None:
            return owner
        verb = acting(frame, head)
        subject = _subject(frame.sentence, head if verb is None else verb)
        if _is_camera(frame.sentence, subject):
            return Holder("the camera", "", is_only=False)
    elif slot == "attribute":
        noun = noun_of(frame, head)
        if noun is not None and is_film_noun(frame.sentence, noun) and not is_visible_noun(frame.sentence, noun):
            return None
        number = frame.thing_of(noun) if noun is not None and head != noun == frame.noun_of(noun) else None
        if noun is None and frame.sentence.tags[head] == "VBG":
            number = _agent(frame, head)  # "screaming girl"
        if number is None and noun is not None and noun != head:
            is_plural = frame.number(noun) == "plural"
            return Holder(f"the {frame.sentence.words[noun]}", "them" if is_plural else "it", is_only=False)
    else:
        if frame.sentence.words[1:3] == ("use", "of") and read_lexicon().is_a(frame.sentence.lemmas[0], "person"):
            return Holder(f"the {frame.sentence.words[0]}", "", is_only=False, is_alive=True)  # "woman use of a phone"
        number = next(_subjects(frame, head), None)
    return holder_for_modification(frame, number) if number is not None else None


def _is_camera(sentence: Sentence, subject: int | None) -> bool:
    """Whether the camera does something, or "pans" that should be its verb: "the camera pans right to show"."""
    if subject is None or "camera" not in (sentence.words[subject], sentence.words[max(subject - 1, 0)]):
        return False
    return sentence.words[subject] == "camera" or sentence.lemmas[subject] in CAMERA_MOVES


def _agent(frame: Frame, head: int) -> int | None:
    sentence = frame.sentence
    head = acting(frame, head) or head
    is_of_noun = sentence.deps[head] == "acl" or (sentence.tags[head] == "VBG" and sentence.deps[head - 1] == "pobj")
    if is_of_noun and head and sentence.tags[head - 1] in NOUN_TAGS:
        return _bearer(frame, head - 1)  # "the skyline with a star moving left"
    event = next((one for one in frame.events if one.head in (head, sentence.heads[head])), None)
    if (told := attributed(frame, event)) is not None:
        return told
    if event is not None and event.agent is not None:
        at = sentence.heads[event.head]
        is_of = sentence.deps[event.head] == "pcomp" and sentence.words[at] == "of"
        owner = _bearer(frame, sentence.heads[at]) if is_of else None
        return owner if owner is not None and _is_alive(frame, owner) else event.agent
    subject = _subject(sentence, head)
    return frame.thing_of(subject) if subject is not None else None


def _bearer(frame: Frame, noun: int) -> int | None:
    """Return the thing that a noun names, or who has it or is there: "a woman with long hair running"."""
    sentence, number = frame.sentence, frame.thing_of(noun)
    at = preposition(sentence, noun)
    if at is not None and sentence.words[at] == "of" and sentence.tags[sentence.heads[at]] in NOUN_TAGS:
        owner = _bearer(frame, sentence.heads[at])  # "a girl in the costume of a princess smiling"
        return owner if owner is not None and _is_alive(frame, owner) else number
    if at is None or (number is not None and _is_alive(frame, number)):
        return number
    head = sentence.heads[at]
    told = _subject(sentence, head) if sentence.tags[head].startswith("VB") else head
    owner = frame.thing_of(told) if told is not None else None
    return owner if owner is not None and _is_alive(frame, owner) else number


def _is_alive(frame: Frame, number: int) -> bool:
    return not read_lexicon().classes(frame.things[number].name).isdisjoint(("person", "animal"))


def _owner(frame: Frame, number: int) -> Holder | None:
    """Return who does something with a part of the body that is named for them: "woman legs walking"."""
    thing, lexicon = frame.things[number], read_lexicon()
    if lexicon.file_of_noun(thing.name) != BODY:
        return None
    people = (one.word for one in thing.attributes if frame.sentence.tags[one.word] in NOUN_TAGS)
    who = next((frame.sentence.words[one] for one in people if lexicon.is_a(frame.sentence.lemmas[one], "person")), "")
    return Holder(f"the {who}", "", is_only=False, is_alive=True) if who else None


def _subject(sentence: Sentence, verb: int) -> int | None:
    """Return who does something: the subject of a verb or of the one it hangs on, or the noun that it tells of."""
    if sentence.deps[verb] in ("relcl", "acl"):
        return sentence.heads[verb]
    subjects = (sentence.child(word, "nsubj", "nsubjpass") for word in (verb, sentence.heads[verb]))
    return next((subject for subject in subjects if subject is not None), None)


def _subjects(frame: Frame, head: int) -> Iterator[int]:
    """Yield the things that a place is about: all before it that are no places."""
    for number, thing in enumerate(frame.things):
        if thing.head < head and thing.slot == "object" and not thing.is_topic:
            yield number


def holder_for_modification(frame: Frame, number: int) -> Holder:
    """Return a thing as who acts or has a trait, with the pronoun that can mean it; of two joined by "and" both."""
    number = _whose(frame, number)
    firsts = [one for one in frame.things if one.slot == "object" and _is_joined(frame, one, frame.things[number])]
    thing = firsts[0] if firsts else frame.things[number]
    others = [one for one in frame.things if one.slot == "object" and one is not thing]
    pronoun = pronoun_for_modification(frame, thing)
    if pronoun == "them":
        rivals = [one for one in others if one.number == "plural"]
    else:
        rivals = [one for one in others if one.number == "singular" and one.is_person == thing.is_person]
    joined = next((one for one in others if _is_joined(frame, thing, one)), None)
    if joined is not None:
        return Holder(f"the {noun_name_in(frame, thing)} and {noun_name_in(frame, joined)}", "them", len(others) == 1)
    name, is_alive = noun_name_in(frame, thing), _is_alive(frame, frame.things.index(thing))
    return Holder(f"the {name}", pronoun, bool(pronoun) and not rivals, is_alive)


def pronoun_for_modification(frame: Frame, thing: Thing) -> str:
    """Return the pronoun of a thing; empty of someone who may be a man or a woman."""
    word = frame.sentence.words[thing.head]
    if thing.number == "plural" and (word.endswith("s") or noun_is_counted(thing.name) is not False):  # no "broccoli"
        return "them"
    return _gender(thing, read_lexicon()) if thing.is_person else "it"


def _whose(frame: Frame, number: int) -> int:
    """Return the thing whose outline another is: "man" of "silhouette of a man"; another itself."""
    sentence, head = frame.sentence, frame.things[number].head
    if sentence.lemmas[head] not in OUTLINES or sentence.words[head + 1 : head + 2] != ("of",):
        return number
    inner = sentence.child(head + 1, "pobj")
    found = None if inner is None else frame.thing_of(inner)
    return number if found is None else found


def _is_joined(frame: Frame, thing: Thing, other: Thing) -> bool:
    return frame.sentence.deps[other.head] == "conj" and frame.sentence.heads[other.head] == thing.head


def _gender(thing: Thing, lexicon: Lexicon) -> str:
    lemma = thing.name.split()[-1]
    for pronoun, nouns in (("her", ("woman", "girl", "female")), ("him", ("man", "boy", "male"))):
        if any(lemma == noun or lexicon.relation(lemma, noun, "noun") in ("same", "below") for noun in nouns[:2]):
            return pronoun
    return ""

"""What is done, as base and -ing with particle and object."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from cvr_data.language.changes import Phrase
from cvr_data.language.closed_words import DIRECTIONS, LIGHT_VERBS
from cvr_data.language.countable import is_uncounted
from cvr_data.language.exclusion import DONE
from cvr_data.language.forms import article, inflected
from cvr_data.language.frames import Event, Frame, Thing
from cvr_data.language.lexicon import ALONE, read_lexicon
from cvr_data.language.needs import verb_needs
from cvr_data.language.nouns import NOUN_TAGS
from cvr_data.language.tree import FINITE

AUXILIARY = ("aux", "auxpass", "punct", "mark", "nsubj", "nsubjpass", "expl")
HANDLED = (30, 34, 35, 36, 40)
"""WordNet's files of verbs that take a thing: change, consumption, contact, creation, possession."""
MOVED = (35, 40)
"""Of contact and possession."""
POSSESSIVE = ("his", "her", "its", "their")
FELT = (37,)
"""Of emotion."""
TAKEN = (6, 8, 13, 20, 27)
"""WordNet's files of things that are taken: artifact, body, food, plant, substance."""


class Forms(NamedTuple):
    """What is done: "close the door", "closing the door"; empty of what is nothing that is done."""

    base: str = ""
    ing: str = ""
    object: int | None = None
    """The number of the thing that it is done to, where the forms name it."""
    what: str = ""
    """How they name it."""


NOTHING = Forms()
SURELY = 4
BOUND = ("DT", "PRP$", "JJ", "CD", "CC", "NN", "NNP", "POS")
"""Tags of words that no article comes after."""
SWITCHED = (("on",), ("off",), ("out",), ("up",), ("down",))


def acting(frame: Frame, head: int) -> int | None:
    """Return the verb that a word is or tells the way of: "drifting" of "drifting up"; None if it is of none."""
    words, tags, lemmas = frame.sentence.words, frame.sentence.tags, frame.sentence.lemmas
    if head and words[head] in DIRECTIONS:
        # "left" after a verb is where to, though it may be tagged as of leaving, and the verb as a plural noun
        is_after_noun = tags[head - 1] == "NNS" and head > 1 and (tags[head - 2] in NOUN_TAGS or tags[head - 2] == "RB")
        is_verb = is_after_noun and read_lexicon().has(lemmas[head - 1], "verb")
        if tags[head - 1].startswith("VB") or is_verb:
            return head - 1
    return next((word for word in (head, frame.sentence.heads[head]) if tags[word].startswith("VB")), None)


def is_sure(frame: Frame, verb: int) -> bool:
    """Whether a word is a verb beyond doubt: not "flowers" of "meadow flowers", nor "bottle" of "pills bottle"."""
    sentence, lexicon = frame.sentence, read_lexicon()
    word, lemma = sentence.words[verb], sentence.lemmas[verb]
    if _is_handled(frame, verb):
        return False
    if word.endswith(("ing", "ed")) or sentence.child(verb, "aux", "auxpass") is not None:
        return True
    if sentence.tags[verb] == "VBP" and verb and sentence.tags[verb - 1] == "NN" and _is_shown_doing(frame, verb):
        return False  # "glowing send key"
    if sentence.tags[verb] == "VB" and verb and sentence.words[verb - 1] not in ("to", "and"):
        return False  # "permit" of "glowing permit key": orders begin with their verb
    subject = sentence.child(verb, "nsubj", "nsubjpass")
    is_told = subject is not None and sentence.child(subject, "det", "nummod", "poss") is not None
    counts = [lexicon.frequency(lemma, part) for part in ("verb", "noun")]
    return is_told or counts[0] > counts[1]


def _is_shown_doing(frame: Frame, verb: int) -> bool:
    """Whether the word before a verb is a participle, which nothing is done by, before a noun."""
    before, after = frame.sentence.words[verb - 1], frame.sentence.tags[verb + 1 : verb + 2]
    return before.endswith("ing") and read_lexicon().verb_of(before) is not None and after == ("NN",)


def _is_handled(frame: Frame, participle: int) -> bool:
    """Whether a participle between what is done and a noun tells for what that is: "put wiping cloth down"."""
    sentence, before = frame.sentence, participle - 1
    if before < 0 or not sentence.tags[before].startswith("VB") or sentence.tags[participle] != "VBG":
        return False
    is_thing = sentence.tags[participle + 1 : participle + 2] in (("NN",), ("NNS",))
    return is_thing and read_lexicon().file_of_verb(sentence.lemmas[before]) in MOVED


def is_done_by(participle: str) -> bool:
    """Whether a word in -ing tells what somebody visibly does: "smiling", not "charming"."""
    verb = read_lexicon().verb_of(participle) if participle.endswith("ing") else None
    return verb is not None and read_lexicon().file_of_verb(verb) in DONE and read_lexicon().may_stand(verb, ALONE)


def is_mostly_verb(lemma: str) -> bool:
    """Whether a word is a verb far more often than anything else: "get"."""
    lexicon = read_lexicon()
    others = lexicon.frequency(lemma, "noun") + lexicon.frequency(lemma, "adj")
    return lexicon.frequency(lemma, "verb") > SURELY * others


def is_state(frame: Frame, head: int) -> bool:
    """Whether a participle in -ed tells how something is: "surprised man", "looking bored"; not what is done to it."""
    sentence, lexicon = frame.sentence, read_lexicon()
    is_told = sentence.child(head, "nsubj", "nsubjpass", "auxpass", "dobj") is not None
    is_told = is_told and sentence.words[max(head - 1, 0)] not in ("looking", "looks", "look")
    if sentence.tags[head] in ("VBN", "VBD") and not is_told:
        return True
    if not lexicon.has(sentence.words[head], "adj") or sentence.child(head, "auxpass") is not None:
        return False
    if sentence.child(head, "dobj") is not None:
        return head == 0  # "stressed teenager"
    return sentence.tags[head] == "JJ" or not lexicon.may_stand(sentence.lemmas[head], ALONE)


def attributed(frame: Frame, event: Event | None) -> int | None:
    """Return who does what a participle before a noun tells, as parsers take the noun for its object: "smiling girl".

    Of a thing that is not alive it stays open who does it: "decorating chocolate", "floating candles".
    """
    if event is None or event.object is None or event.agent is not None:
        return None
    thing = frame.things[event.object]
    is_beside = frame.sentence.tags[event.head] in ("VBG", "VBN") and event.head + 1 == thing.first
    is_alive = not read_lexicon().classes(thing.name).isdisjoint(("person", "animal"))
    return event.object if is_beside and is_alive and not thing.determiner else None


def verb_forms(frame: Frame, phrase: Phrase, head: int, other: Frame | None, *, is_gone: bool = False) -> Forms:
    """Return what is done as base and -ing, with particle and object, and with all that it needs unless it goes.

    What the `other` caption has, too, is known ("the door"); without one nothing is.
    """
    sentence, lexicon = frame.sentence, read_lexicon()
    found = acting(frame, head)
    verb = head if found is None else _full(frame, found)
    if any(word < verb and sentence.tags[word] in NOUN_TAGS for word in phrase.words):
        return NOTHING  # "a horse wearing blinders" is somebody else, too
    if sentence.child(verb, "neg") is not None:
        return NOTHING
    rest = [word for word in phrase.words if word > verb and _is_said(frame, word)]
    is_known = found is not None or sentence.tags[verb].startswith("VB")
    lemma = _base(frame, verb) if is_known else lexicon.verb_of(sentence.words[verb]) or ""
    if not lemma or not lexicon.has(lemma, "verb") or _has_clause(frame, phrase.words, verb):
        return NOTHING
    event = next((_turned(frame, event, other) for event in frame.events if event.head == verb), None)
    end, number = _object(frame, event, rest, other)
    is_named = lexicon.frequency(lemma, "noun") > lexicon.frequency(lemma, "verb")
    if not end and not rest and is_named and lexicon.file_of_verb(lemma) in FELT:
        return NOTHING  # "make her trouble"
    particles = [] if rest else _particles(frame, verb, event)
    if sentence.child(verb, "auxpass") is not None:
        return _passive(frame, verb, rest, [*particles, *end], number)
    if not end and not rest and lemma in LIGHT_VERBS:
        return NOTHING
    if event is not None and event.object is not None and not end and not rest and _is_told_by(frame, event, other):
        return Forms(ing=_told_of(frame, verb, frame.things[event.object]))
    needed = verb_needs(frame, verb, lemma, rest, [*particles, *end], other)
    if needed is None and not is_gone:
        return NOTHING
    end += needed or []
    what = "" if number is None else " ".join(end)
    if lemma == "lie" and not (rest or end or particles):
        particles = ["down"]  # "make the couple lie" tells too little
    end = [*particles, *end]
    forms = (lemma, inflected(lemma, "VBG"))
    tails = ([_joined_verb(frame, word, tag, rest, other) for word in rest] for tag in ("VB", "VBG"))
    base, ing = (" ".join([form, *tail, *end]).replace(" 's", "'s") for form, tail in zip(forms, tails, strict=True))
    return Forms(base, ing, number, what)


def _passive(frame: Frame, verb: int, rest: Sequence[int], end: Sequence[str], number: int | None) -> Forms:
    """Return what is done to a thing: "be switched off"."""
    words = frame.sentence.words
    is_on = not rest and not end and words[verb + 1 : verb + 2] in SWITCHED and verb + 2 >= len(frame.spoken)
    end = words[verb + 1 : verb + 2] if is_on else end
    tail = " ".join([words[verb], *(words[word] for word in rest), *end])
    return Forms(f"be {tail}", f"being {tail}", number)


def _particles(frame: Frame, verb: int, event: Event | None) -> list[str]:
    """Return the particle of a verb: "turns off", "turns the tap off", "squeezes water out of a mop"."""
    sentence = frame.sentence
    if verb + 1 < len(sentence.words) and _is_particle(frame, verb + 1, verb):
        return [sentence.words[verb + 1]]
    last = None if event is None or event.object is None else frame.things[event.object].last + 1
    if last is None or last >= len(sentence.words) or sentence.heads[last] != verb or last < verb:
        return []
    is_out = sentence.words[last] in ("out", "off") and sentence.words[last + 1 : last + 2] == ("of",)
    return [sentence.words[last]] if is_out or sentence.deps[last] == "prt" else []


def _full(frame: Frame, verb: int) -> int:
    """Return the verb that a light one leads to: "dusting" of "starts dusting"; another itself."""
    sentence = frame.sentence
    inner = sentence.child(verb, "xcomp", "ccomp") if sentence.lemmas[verb] in LIGHT_VERBS else None
    return inner if inner is not None and inner > verb and sentence.tags[inner].startswith("VB") else verb


def _base(frame: Frame, verb: int) -> str:
    """Return the base form of a verb: "lay", which the lemma of "lie" has, too, is its own in "they lay tools out"."""
    word, tag = frame.sentence.words[verb], frame.sentence.tags[verb]
    return word if tag in ("VB", "VBP") and read_lexicon().has(word, "verb") else frame.sentence.lemmas[verb]


def _is_particle(frame: Frame, word: int, verb: int) -> bool:
    """Whether the word after a verb belongs to it: "put down", "horse around"."""
    sentence = frame.sentence
    return sentence.heads[word] == verb and (sentence.deps[word] == "prt" or sentence.words[word] == "around")


def _is_said(frame: Frame, word: int) -> bool:
    return frame.sentence.deps[word] not in AUXILIARY or frame.sentence.tags[word] == "TO"  # "start to count"


def _has_clause(frame: Frame, said: Sequence[int], verb: int) -> bool:
    """Whether words after a verb are parted by a comma or hold a verb of their own: "standing becomes visible"."""
    sentence, words = frame.sentence, [word for word in said if word > verb]
    if any(sentence.tags[word] in (",", ":") for word in words):
        return True
    finite = [word for word in words if sentence.tags[word] in FINITE and sentence.words[word] not in DIRECTIONS]
    return any(sentence.deps[word] != "conj" for word in finite)


def _joined_verb(frame: Frame, word: int, tag: str, said: Sequence[int], other: Frame | None) -> str:
    """Return a word of what is done, verbs joined by "and" in the form of the first: "dance and sing".

    A noun that lacks its article gets one: "pick up a knife".
    """
    sentence, lexicon = frame.sentence, read_lexicon()
    number = frame.thing_of(word)
    thing = None if number is None else frame.things[number]
    if thing is not None and word == thing.first and sentence.tags[word - 1] not in BOUND:
        is_bare = thing.determiner or thing.number == "plural" or is_uncounted(sentence.words[thing.head], thing.name)
        is_bare = is_bare or sentence.words[word - 1] == "of"  # "a type of string"
        if not is_bare and sentence.tags[word] != "CD":
            is_shared = other is not None and sentence.words[thing.head] in other.sentence.words
            return f"{'the' if is_shared else article(sentence.words[word])} {sentence.words[word]}"
    is_joined = sentence.deps[word] == "conj" and not {"and", "or"}.isdisjoint(sentence.words[said[0] : word])
    is_joined = is_joined or sentence.words[word - 1] in ("and", "or")
    lemma = sentence.lemmas[word]
    if not sentence.tags[word].startswith("VB"):
        is_beside = sentence.words[word - 1] in ("and", "or") and sentence.tags[word - 2].startswith(
            "VB"
        )  # "turns and waves"
        is_joined = is_beside and sentence.tags[word] == "NNS" and lexicon.has(lemma, "verb")
    if not is_joined:
        return sentence.words[word]
    return lemma if tag == "VB" else inflected(lemma, "VBG")


def _object(
    frame: Frame, event: Event | None, said: Sequence[int], other: Frame | None
) -> tuple[list[str], int | None]:
    """Return the object of a verb where the change does not hold it: "the door" if the other caption has it, too."""
    if event is None or attributed(frame, event) is not None:
        return [], None
    if event.object is None:
        return _plain_object(frame, event, said), None
    thing, words = frame.things[event.object], frame.sentence.words
    if thing.head in said or thing.head < event.head:
        return [], None
    if thing.first == event.head + 1 and not verb_takes(frame, event, other):
        return [], None  # "twinkling stars": they are not twinkled
    last = _with_of(frame, thing)
    is_part = any(event.head < word < thing.head and frame.sentence.tags[word] in NOUN_TAGS for word in said)
    if is_part or any(thing.first <= word <= thing.last for word in said):
        return list(words[max(said) + 1 : last + 1]), None
    is_open = thing.determiner in ("a", "an") or (event.agent is None and thing.determiner in POSSESSIVE)
    is_shared = other is not None and is_open and words[thing.head] in other.sentence.words
    is_mass = other is None and is_uncounted(words[thing.head], frame.sentence.lemmas[thing.head])
    if last > thing.last or ((thing.determiner or thing.number == "plural" or is_mass) and not is_shared):
        return list(words[thing.first : last + 1]), event.object
    name = noun_name_in(frame, thing).split()
    return (["the", *name] if read_lexicon().has(name[-1], "noun") or is_shared else name), event.object


def _plain_object(frame: Frame, event: Event, said: Sequence[int]) -> list[str]:
    """Return the object of a verb that names no thing, with its article: "the camera"."""
    sentence = frame.sentence
    noun = sentence.child(event.head, "dobj")
    if noun is None or noun in said or noun < event.head or sentence.child(noun, "det") is None:
        return []
    return list(sentence.words[min(sentence.children[noun]) : noun + 1])


def _with_of(frame: Frame, thing: Thing) -> int:
    """Return the last word of a thing and of what it holds: "a cup of coffee"."""
    sentence = frame.sentence
    of = next((word for word in sentence.children[thing.head] if sentence.words[word] == "of"), None)
    inner = sentence.child(of, "pobj") if of == thing.head + 1 else None
    return thing.last if inner is None else inner


def _is_told_by(frame: Frame, event: Event, other: Frame | None) -> bool:
    """Whether a participle may tell what the noun after it does: "twinkling stars"."""
    is_before = event.object is not None and frame.things[event.object].first == event.head + 1
    return (
        is_before and event.agent is None and not verb_takes(frame, event, other) and attributed(frame, event) is None
    )


def _turned(frame: Frame, event: Event, other: Frame | None) -> Event:
    """Return the event with the noun after its verb as what it is done to: "decorating chocolate"."""
    sentence, agent = frame.sentence, event.agent
    is_before = sentence.deps[event.head] == "amod" and sentence.tags[event.head] == "VBG" and agent is not None
    if not is_before or event.object is not None or frame.things[agent or 0].first not in (event.head, event.head + 1):
        return event
    turned = replace(event, agent=None, object=agent)
    is_alive = not read_lexicon().classes(frame.things[agent or 0].name).isdisjoint(("person", "animal"))
    return turned if not is_alive and verb_takes(frame, turned, other) else event


def _told_of(frame: Frame, verb: int, thing: Thing) -> str:
    """Return a participle with the noun whose doing it tells: "twinkling stars", "a splashing waterfall"."""
    words = frame.sentence.words
    said = " ".join(words[verb : thing.last + 1])
    is_bare = thing.determiner or thing.number == "plural" or is_uncounted(words[thing.head], thing.name)
    return said if is_bare else f"{article(said)} {said}"


def verb_takes(frame: Frame, event: Event, other: Frame | None = None) -> bool:
    """Whether a verb is done to the noun right after it: "slicing apple", "closing a door"; not "twinkling stars".

    So it is where the other caption tells of the same noun in the same place what is surely done to it.
    """
    if event.object is None:
        return False
    if event.agent is not None or frame.sentence.tags[event.head] != "VBG":
        return True
    thing, lexicon = frame.things[event.object], read_lexicon()
    is_taken = lexicon.file_of_verb(event.verb) in HANDLED and lexicon.file_of_noun(thing.name) in TAKEN
    if thing.determiner or is_taken or not lexicon.may_stand(event.verb, ALONE):
        return True
    if other is None:
        return False
    alike = (one for one in other.events if one.head == event.head)
    return any(_named(other, one) == thing.name and verb_takes(other, one) for one in alike)


def _named(frame: Frame, event: Event) -> str:
    """Return the name of what something is done to; empty of nothing."""
    return "" if event.object is None else frame.things[event.object].name


def noun_name_in(frame: Frame, thing: Thing) -> str:
    """Return the head of a thing as its caption has it, with what makes one thing with it."""
    if len(frame.sentence.words[thing.head]) == 1:
        return " ".join(frame.sentence.words[thing.first : thing.head + 1])  # "person h"
    return " ".join([*thing.name.split()[:-1], frame.sentence.words[thing.head]])

"""What is done, as base and -ing with particle and object."""

from collections.abc import Sequence

from cvr_data.language.changes import Phrase
from cvr_data.language.closed_words import DIRECTIONS
from cvr_data.language.frames import Event, Frame, Thing
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.nouns import NOUN_TAGS
from cvr_data.modifications.realising.forms import inflected

AUXILIARY = ("aux", "auxpass", "punct", "mark", "nsubj", "nsubjpass", "expl")


def acting(frame: Frame, head: int) -> int | None:
    """Return the verb that a word is or tells the way of: "drifting" of "drifting up"; None if it is of none."""
    words, tags, lemmas = frame.sentence.words, frame.sentence.tags, frame.sentence.lemmas
    if head and words[head] in DIRECTIONS:
        # "left" after a verb is where to, though it may be tagged as of leaving, and the verb as a plural noun
        is_after_noun = tags[head - 1] == "NNS" and head > 1 and tags[head - 2] in NOUN_TAGS
        is_verb = is_after_noun and read_lexicon().has(lemmas[head - 1], "verb")
        if tags[head - 1].startswith("VB") or is_verb:
            return head - 1
    return next((word for word in (head, frame.sentence.heads[head]) if tags[word].startswith("VB")), None)


def verb_forms(frame: Frame, phrase: Phrase, head: int, other: Frame) -> tuple[str, str]:
    """Return what is done as base and -ing, with particle and object: "close the door", "closing the door"."""
    sentence, lexicon = frame.sentence, read_lexicon()
    found = acting(frame, head)
    verb = head if found is None else found
    rest = [word for word in phrase.words if word > verb and sentence.deps[word] not in AUXILIARY]
    is_known = found is not None or sentence.tags[verb].startswith("VB")
    lemma = sentence.lemmas[verb] if is_known else lexicon.verb_of(sentence.words[verb]) or ""
    if not lemma or not lexicon.has(lemma, "verb") or (lemma == "be" and not rest):
        return "", ""
    event = next((event for event in frame.events if event.head == verb), None)
    end = _object(frame, event, rest, other)
    if event is not None and event.particle and event.particle not in [sentence.words[word] for word in rest]:
        end.insert(0, event.particle)
    if sentence.child(verb, "auxpass") is not None:
        tail = [sentence.words[word] for word in rest]
        return " ".join(["be", sentence.words[verb], *tail, *end]), " ".join(
            ["being", sentence.words[verb], *tail, *end]
        )
    forms = (lemma, inflected(lemma, "VBG"))
    tails = ([_joined_verb(frame, word, tag) for word in rest] for tag in ("VB", "VBG"))
    base, ing = (" ".join([form, *tail, *end]) for form, tail in zip(forms, tails, strict=True))
    return base, ing


def _joined_verb(frame: Frame, word: int, tag: str) -> str:
    """Return a word of what is done, verbs joined by "and" in the form of the first: "dance and sing"."""
    sentence = frame.sentence
    if not sentence.tags[word].startswith("VB") or sentence.deps[word] != "conj":
        return sentence.words[word]
    return sentence.lemmas[word] if tag == "VB" else inflected(sentence.lemmas[word], "VBG")


def _object(frame: Frame, event: Event | None, said: Sequence[int], other: Frame) -> list[str]:
    """Return the object of a verb where the change does not hold it: "the door" if the other caption has it, too."""
    if event is None or event.object is None:
        return []
    thing = frame.things[event.object]
    if thing.head in said or thing.head < event.head:
        return []
    if any(thing.first <= word <= thing.last for word in said):
        return [frame.sentence.words[word] for word in range(max(said) + 1, thing.last + 1)]
    is_shared = thing.determiner in ("a", "an") and frame.sentence.words[thing.head] in other.sentence.words
    if (thing.determiner or thing.number == "plural") and not is_shared:
        return [frame.sentence.words[word] for word in range(thing.first, thing.last + 1)]
    return ["the", *name_in(frame, thing).split()]


def name_in(frame: Frame, thing: Thing) -> str:
    """Return the head of a thing as its caption has it, with what makes one thing with it."""
    return " ".join([*thing.name.split()[:-1], frame.sentence.words[thing.head]])

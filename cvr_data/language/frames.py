"""A caption as a frame: who and what is in it, what they do, where and when, each with where it stands.

    frame = parsed_sentence_frame(sentence)                   # "a red car drives down a road at night"
    frame.things[0].name, frame.things[0].attributes      # "car", (Attribute("red", ...),)
    frame.events[0].verb, frame.events[0].agent           # "drive", 0
    [frame.things[number].name for number in frame.scenes]   # ["road", "night"]

Numbers of words are those of the sentence, punctuation counted. A frame keeps its sentence, so texts and lint never
look for words again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, TypeVar

from cvr_data.language.attributes import Attribute, attributes_of
from cvr_data.language.closed_words import CAMERA_MOVES, DIRECTIONS, NARRATED, PARTITIVES, PLACE_ADVERBS, POSTURES
from cvr_data.language.lexicon import CONCRETE, Lexicon, read_lexicon
from cvr_data.language.nouns import (
    BEFORE_NOUN,
    NOUN_TAGS,
    compound_noun_name,
    is_colour,
    is_film_noun,
    is_partitive,
    noun_after_partitive,
    preposition,
    qualified_noun,
)  # fmt: skip
from cvr_data.language.parse import Sentence
from cvr_data.language.parsed import parsed
from cvr_data.language.roles import ACT, TIMES, is_doing, is_light, is_showing_verb, is_topic, roles_of

KEPT = 4096
"""Captions whose frames a process remembers, some ten kilobytes each."""
AT_ONCE = 1024
"""Rows of which the captions are parsed together: all of them are remembered."""
Row = TypeVar("Row")
TIME = 28
"""WordNet's file of times."""
OBJECTS = ("dobj", "nsubjpass", "dative")


@dataclass(frozen=True)
class Thing:
    """A noun phrase that names something seen; `slot` is object or scene, `field` of a scene is place or time ..."""

    name: str
    """The head's lemma, with what makes one thing with it: "video game"."""
    head: int
    first: int
    last: int
    number: str
    determiner: str
    preposition: str
    attributes: tuple[Attribute, ...]
    slot: str
    field: str
    is_person: bool
    is_topic: bool


@dataclass(frozen=True)
class Event:
    """Something that is done; agent and object are numbers of things."""

    verb: str
    head: int
    particle: str
    direction: str
    agent: int | None
    object: int | None


@dataclass(frozen=True)
class Frame:
    """What a caption says."""

    is_told: ClassVar[bool] = False
    """Whether somebody told the things and events, so that they are not found in the sentence again."""
    sentence: Sentence
    roles: tuple[str, ...]
    """Of each word: object, scene, action, attribute or other."""

    @cached_property
    def spoken(self) -> tuple[int, ...]:
        """The words that are no punctuation."""
        return tuple(word for word, text in enumerate(self.sentence.words) if any(map(str.isalnum, text)))

    @cached_property
    def things(self) -> tuple[Thing, ...]:
        """What is seen, scenes too, in order."""
        return tuple(_things(self, read_lexicon()))

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """What is done, in order."""
        return tuple(_events(self, read_lexicon()))

    def thing_of(self, word: int) -> int | None:
        """Return the number of the thing that a word is the head of or belongs to; None if it is in none."""
        noun = self.noun_of(word)
        return next((number for number, thing in enumerate(self.things) if thing.head == noun), None)

    def noun_of(self, word: int) -> int | None:
        """Return the noun that a word is or belongs to; None if there is none."""
        sentence = self.sentence
        for _ in sentence.words:
            if sentence.tags[word] in NOUN_TAGS and qualified_noun(sentence, word) is None:
                return word
            if sentence.heads[word] == word or sentence.tags[word].startswith("VB"):
                return word if sentence.tags[word] in NOUN_TAGS else None
            word = sentence.heads[word]
        return None

    def number(self, noun: int) -> str:
        """Return whether a noun is singular or plural."""
        return "plural" if self.sentence.tags[noun] in ("NNS", "NNPS") else "singular"


def parsed_sentence_frame(sentence: Sentence) -> Frame:
    """Return the frame of a parsed caption."""
    return Frame(sentence, roles_of(sentence))


_kept: dict[str, Frame] = {}


def parsed_sentence_frames(texts: Iterable[str]) -> dict[str, Frame]:
    """Return the frame of each distinct text; of the latest `KEPT` the process remembers them.

    The checks of lint ask for the same captions one after the other, and so do the attempts of a generator.
    """
    distinct = sorted(set(texts))
    new = [text for text in distinct if text not in _kept]
    found = dict(zip(new, map(parsed_sentence_frame, parsed(new)), strict=True))
    frames = {text: found[text] if text in found else _kept[text] for text in distinct}
    if len(_kept) + len(found) > KEPT:
        _kept.clear()
    _kept.update(list(found.items())[:KEPT])
    return frames


def rows_with_parsed_sentences(rows: Sequence[Row], texts_of: Callable[[Row], Iterable[str]]) -> Iterator[Row]:
    """Yield rows in order; the texts of the next `AT_ONCE` are parsed together, and their frames remembered."""
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        parsed_sentence_frames(text for row in some for text in texts_of(row))
        yield from some


def _things(frame: Frame, lexicon: Lexicon) -> list[Thing]:
    sentence = frame.sentence
    found = []
    for word, role in enumerate(frame.roles):
        is_adverb = sentence.words[word] in PLACE_ADVERBS and role == "scene" and not _is_before_noun(sentence, word)
        if is_adverb or (sentence.tags[word] in NOUN_TAGS and _is_named(frame, word, role, lexicon)):
            found.append(_thing(frame, word, lexicon))
    return found


def _is_before_noun(sentence: Sentence, word: int) -> bool:
    return sentence.deps[word] in BEFORE_NOUN and sentence.heads[word] > word


def _is_named(frame: Frame, word: int, role: str, lexicon: Lexicon) -> bool:
    """Whether a noun names a thing of its own: not what only qualifies another, nor what hands on to another."""
    sentence = frame.sentence
    head = qualified_noun(sentence, word)
    if head is not None:
        return role in ("object", "attribute") and is_partitive(sentence, head) and head == word + 1
    if role not in ("object", "scene") or noun_after_partitive(sentence, word) != word:
        return False
    name, lemma = compound_noun_name(sentence, word, lexicon), sentence.lemmas[word]
    file = lexicon.file_of_noun(name)
    if (file == ACT and not lexicon.is_a(name, "sport")) or (file == TIME and role != "scene"):
        return False
    return " " in name or lemma not in PARTITIVES or lexicon.is_a(lemma, "group")  # "mountain top", "a couple"


def _thing(frame: Frame, word: int, lexicon: Lexicon) -> Thing:
    sentence = frame.sentence
    name = (
        compound_noun_name(sentence, word, lexicon)
        if sentence.words[word] not in PLACE_ADVERBS
        else sentence.words[word]
    )
    name = f"{name} background" if is_colour(sentence, word, lexicon) else name
    parts = [child for child in sentence.children[word] if sentence.deps[child] in (*BEFORE_NOUN, "det", "poss")]
    determiner = sentence.child(word, "det", "poss")
    at = preposition(sentence, word)
    slot = "scene" if frame.roles[word] == "scene" else "object"
    return Thing(
        name=name,
        head=word,
        first=min([word, *parts]),
        last=word,
        number=frame.number(word),
        determiner=sentence.words[determiner] if determiner is not None else "",
        preposition=sentence.words[at] if at is not None else "",
        attributes=tuple(attributes_of(sentence, frame.roles, word, name)),
        slot=slot,
        field=next((field for field in TIMES if lexicon.is_a(name, field)), "place") if slot == "scene" else "",
        is_person=lexicon.is_a(name, "person"),
        is_topic=is_topic(sentence, word, lexicon),
    )


def _events(frame: Frame, lexicon: Lexicon) -> list[Event]:
    return [
        _event(frame, word)
        for word in range(len(frame.roles))
        if _is_event(frame, word, lexicon)
    ]  # fmt: skip


def _is_event(frame: Frame, word: int, lexicon: Lexicon) -> bool:
    """Whether a word tells what is done: no light verb, no word of what the film shows, no state."""
    sentence, tag, dep = frame.sentence, frame.sentence.tags[word], frame.sentence.deps[word]
    if tag in NOUN_TAGS:
        return frame.roles[word] == "action" and is_doing(sentence, word, lexicon) and dep != "pobj"
    if (
        not tag.startswith("VB")
        or is_light(sentence, word)
        or is_showing_verb(sentence, word)
        or is_film_noun(sentence, word)
    ):
        return False
    subject = sentence.child(word, "nsubj")
    if subject is not None and sentence.words[subject] in NARRATED and sentence.lemmas[word] not in CAMERA_MOVES:
        return False
    if frame.roles[word] == "attribute":
        name = f"{sentence.words[word]} {sentence.lemmas[sentence.heads[word]]}"
        is_thing = lexicon.file_of_noun(sentence.lemmas[sentence.heads[word]]) in CONCRETE
        return tag == "VBG" and is_thing and not lexicon.has(name, "noun") and sentence.words[word] != "looking"
    if sentence.lemmas[word] in POSTURES and not _is_alive(frame, word, lexicon):
        return False
    is_state = tag == "VBN" and dep in ("acl", "advcl", "amod", "oprd", "acomp", "appos", "dep")
    is_tool = sentence.lemmas[word] == "use" and dep in ("acl", "advcl", "pcomp")
    return frame.roles[word] == "action" and not is_state and not (is_tool and _has_event(frame, word))


def _is_alive(frame: Frame, verb: int, lexicon: Lexicon) -> bool:
    """Whether someone, or what the lexicon does not know, is the subject of a verb: a bike that stands does nothing."""
    sentence = frame.sentence
    subject = sentence.child(verb, "nsubj")
    if subject is None:
        subject = sentence.heads[verb] if sentence.tags[sentence.heads[verb]] in NOUN_TAGS else None
    if subject is None or sentence.tags[subject] not in NOUN_TAGS:
        return True
    classes = lexicon.classes(sentence.lemmas[noun_after_partitive(sentence, subject)])
    return not classes or not classes.isdisjoint(("person", "animal", "group"))


def _has_event(frame: Frame, word: int) -> bool:
    """Whether something else is done, so that "using a knife" only tells with what."""
    sentence = frame.sentence
    others = (at for at in range(len(sentence.words)) if at != word and sentence.tags[at].startswith("VB"))
    return any(not is_light(sentence, at) and frame.roles[at] == "action" for at in others)


def _event(frame: Frame, word: int) -> Event:
    sentence = frame.sentence
    particle = sentence.child(word, "prt")
    ways = [sentence.words[child] for child in sentence.children[word] if sentence.words[child] in DIRECTIONS]
    agent = sentence.child(word, "nsubj")
    if agent is None and sentence.deps[word] in ("acl", "relcl", "amod"):
        agent = sentence.heads[word]
    if agent is None and sentence.deps[word] in ("conj", "xcomp", "advcl"):
        agent = sentence.child(sentence.heads[word], "nsubj")
    thing = sentence.child(word, *OBJECTS)
    lemma = sentence.lemmas[word]
    return Event(
        verb=lemma if sentence.tags[word].startswith("VB") else read_lexicon().verb_of(sentence.words[word]) or lemma,
        head=word,
        particle=sentence.words[particle] if particle is not None else "",
        direction=ways[0] if ways else "",
        agent=None if agent is None else frame.thing_of(noun_after_partitive(sentence, agent)),
        object=None if thing is None else frame.thing_of(noun_after_partitive(sentence, thing)),
    )

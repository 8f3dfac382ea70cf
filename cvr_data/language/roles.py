"""What every word of a parsed caption is in it: object, scene, action, attribute or other.

    roles_of(sentence)     # ("other", "object", "action", "other", "scene") of "a dog runs on sand"

A verb is an action, and so are direction and manner; a noun is a scene where it names a place, a time or the weather
and nothing is done with it, else an object; what only says what kind of thing another is, is an attribute, but season,
time and weather stay scenes. Words for the film itself, and what cannot be seen, are other.
"""

from cvr_data.language.closed_words import (
    DIRECTIONS,
    FULL_WITH_OBJECT,
    LIGHT_VERBS,
    OF_FILM,
    PLACE_ADVERBS,
    SEEING,
    SHOWING,
    TOPIC_PREPOSITIONS,
    UNSEEN,
)  # fmt: skip
from cvr_data.language.lexicon import Lexicon, read_lexicon
from cvr_data.language.nouns import (
    BEFORE_NOUN,
    NOUN_TAGS,
    governor,
    is_colour,
    is_film_noun,
    is_visible_noun,
    noun_lexicon_key,
    preposition,
    qualified_noun,
)  # fmt: skip
from cvr_data.language.parse import Sentence
from cvr_data.language.places import is_place

UNSEEN_FILES = frozenset((7, 9, 12, 16, 24, 26))
"""WordNet's files of what cannot be seen: attribute, cognition, feeling, motive, relation, state."""
ACT = 4
"""WordNet's file of acts, which are not things."""
TIMES = ("time", "season", "weather")
WEATHER = frozenset(("sun", "cloud", "storm"))
"""What makes the weather in -y, beside what the lexicon calls weather."""


def roles_of(sentence: Sentence) -> tuple[str, ...]:
    """Return the slot of each word."""
    lexicon = read_lexicon()
    return tuple(_role(sentence, word, lexicon) for word in range(len(sentence.words)))


def _role(sentence: Sentence, word: int, lexicon: Lexicon) -> str:
    tag = sentence.tags[word]
    if sentence.words[word] in DIRECTIONS and word and sentence.tags[word - 1].startswith("VB"):
        if not sentence.tags[word + 1 : word + 2] or sentence.tags[word + 1] not in NOUN_TAGS:
            return "action"  # "drifts right", whatever the parser makes of "right"
    if sentence.words[word] in PLACE_ADVERBS and tag not in ("IN",):
        return "scene"
    if tag.startswith("VB"):
        return role_of_verb(sentence, word)
    if tag in NOUN_TAGS:
        return _role_of_noun(sentence, word, lexicon)
    if tag.startswith("JJ"):
        return _role_of_adjective(sentence, word, lexicon)
    if tag == "CD":
        return "attribute" if sentence.deps[word] in BEFORE_NOUN else "other"
    if tag == "PRP":
        return "object"
    return "action" if _is_way(sentence, word) else "other"


def role_of_verb(sentence: Sentence, word: int) -> str:
    """Return "other" of an auxiliary, "attribute" of a participle that qualifies a noun, else "action"."""
    if sentence.deps[word] in ("aux", "auxpass"):
        return "other"
    return "attribute" if sentence.deps[word] in BEFORE_NOUN and sentence.heads[word] > word else "action"


def _is_way(sentence: Sentence, word: int) -> bool:
    """Whether a word is the particle, direction or manner of a verb."""
    head = sentence.heads[word]
    if sentence.words[word] in DIRECTIONS and sentence.tags[head] in ("IN", "RB"):
        head = sentence.heads[head]  # "sliding right above the glacier"
    if not sentence.tags[head].startswith("VB") or head == word:
        return False
    if sentence.deps[word] == "prt" or sentence.words[word] in DIRECTIONS:
        return True
    return sentence.deps[word] == "advmod" and sentence.words[word].endswith("ly")


def _role_of_adjective(sentence: Sentence, word: int, lexicon: Lexicon) -> str:
    head = sentence.heads[word]
    text = sentence.words[word]
    if text in DIRECTIONS and sentence.tags[head].startswith("VB"):
        return "action"
    if is_film_noun(sentence, word):
        return "other"
    is_of_film = text in OF_FILM and (head == word or is_film_noun(sentence, head))
    if is_of_film and qualified_noun(sentence, word) is None:
        return "other"
    is_weather = weather_of(text, lexicon) is not None and _is_time(sentence.lemmas[head], lexicon)
    return "scene" if is_weather or _is_time(text, lexicon) else "attribute"


def _is_time(noun: str, lexicon: Lexicon) -> bool:
    return any(lexicon.is_a(noun, name) for name in TIMES)


def weather_of(adjective: str, lexicon: Lexicon) -> str | None:
    """Return the weather, time or season of which an adjective in -y tells: rain of "rainy"; else None."""
    if not adjective.endswith("y") or len(adjective) < 5:
        return None
    stems = (adjective[:-1], adjective[:-1] + "e", adjective[:-2] if adjective[-2] == adjective[-3] else adjective[:-1])
    return next((stem for stem in stems if _is_time(stem, lexicon) or stem in WEATHER), None)


def is_topic(sentence: Sentence, noun: int, lexicon: Lexicon) -> bool:
    """Whether a noun is what is talked of: after "about", or what somebody explains or discusses."""
    top = governor(sentence, noun)
    head = sentence.heads[top]
    if sentence.deps[top] == "pobj":
        return sentence.words[head] in TOPIC_PREPOSITIONS and sentence.heads[head] != head
    is_said = sentence.deps[top] == "dobj" and lexicon.is_speech(sentence.lemmas[head])
    return is_said and lexicon.classes(sentence.lemmas[noun]).isdisjoint(("person", "animal"))


def _role_of_noun(sentence: Sentence, word: int, lexicon: Lexicon) -> str:
    lemma = noun_lexicon_key(sentence, word, lexicon)
    head = qualified_noun(sentence, word)
    is_time = _is_time(lemma, lexicon) or (head == word + 1 and lexicon.is_a(sentence.lemmas[head], "weather"))
    if lemma in UNSEEN or (head is None and is_film_noun(sentence, word) and not is_visible_noun(sentence, word)):
        return "other"
    if is_colour(sentence, word, lexicon):
        at = preposition(sentence, word)
        return "scene" if at is not None and sentence.words[at] in ("on", "against", "over") else "attribute"
    if head is not None:
        if is_time:
            return "scene"
        is_used = sentence.words[head + 1 : head + 2] == ("of",)  # "woman use of smartphone"
        is_who = lexicon.is_a(lemma, "person") and (is_used or lexicon.is_a(sentence.lemmas[head], "person"))
        return "object" if is_who else "attribute"
    if is_doing(sentence, word, lexicon):
        return "action"
    if is_place(sentence, word, lexicon) or (is_time and sentence.deps[governor(sentence, word)] != "dobj"):
        return "scene"
    if lexicon.is_abstract(lemma):
        return _role_of_abstract(sentence, word, lexicon)
    return "object"


def _role_of_abstract(sentence: Sentence, word: int, lexicon: Lexicon) -> str:
    """Return what a noun that is no thing is: what it qualifies with "of", an object of a verb, or nothing seen."""
    at = preposition(sentence, word)
    if at is not None and sentence.words[at] == "of":
        return "attribute"
    name = noun_lexicon_key(sentence, word, lexicon)
    return "other" if lexicon.file_of_noun(name) in UNSEEN_FILES and not lexicon.is_a(name, "light") else "object"


def is_doing(sentence: Sentence, word: int, lexicon: Lexicon) -> bool:
    """Whether a noun in -ing tells what is done: "dancing", not "building"."""
    text = sentence.words[word]
    if not text.endswith("ing") or len(text) < 6 or not lexicon.is_abstract(text):
        return False
    return not any(text[:-3] == stem for stem in ("even", "morn"))


def is_showing_verb(sentence: Sentence, verb: int) -> bool:
    """Whether a verb only says that the film shows something: "we see", "is shown", "the clip shows"."""
    lemma = sentence.lemmas[verb]
    subject = sentence.child(verb, "nsubj", "nsubjpass")
    if sentence.child(verb, "nsubjpass") is not None and lemma in SEEING:
        return True
    if lemma in SEEING and subject is not None and sentence.words[subject] in ("we", "you", "i"):
        return True
    return lemma in SHOWING and (subject is None or is_film_noun(sentence, subject))


def is_light(sentence: Sentence, verb: int) -> bool:
    """Whether a verb tells nothing itself: "begins" of "begins to run", "makes" without what is made."""
    lemma = sentence.lemmas[verb]
    if lemma in FULL_WITH_OBJECT:
        is_full = sentence.child(verb, "dobj", "prt", "advmod", "prep") is not None
        return not is_full or sentence.child(verb, "ccomp", "xcomp") is not None
    return lemma in LIGHT_VERBS

"""What every word of a parsed caption is in it: object, scene, action, attribute or other.

    roles_of(sentence)     # ("other", "object", "action", "other", "scene") of "a dog runs on sand"

A verb is an action, and so are direction and manner; a noun is a scene where it names a place, a time or the weather
and nothing is done with it, else an object; what only says what kind of thing another is, is an attribute, but season,
time and weather stay scenes. Words for the film itself, and what cannot be seen, are other.
"""

from cvr_data.language.closed_words import (
    DIRECTIONS,
    FILM,
    LIGHT_VERBS,
    OF_FILM,
    PARTITIVES,
    PLACE_ADVERBS,
    PLACE_PREPOSITIONS,
    PLACE_WORDS,
    SEEING,
    SHOWING,
    STILL_SEEN,
    TOPIC_PREPOSITIONS,
    UNSEEN,
)  # fmt: skip
from cvr_data.language.lexicon import Lexicon, read_lexicon
from cvr_data.language.parse import Sentence

NOUN_TAGS = frozenset(("NN", "NNS", "NNP", "NNPS"))
BEFORE_NOUN = frozenset(("compound", "amod", "nmod", "npadvmod", "quantmod", "nummod"))
HANDLED = frozenset((30, 34, 35, 36, 40))
"""WordNet's files of verbs that take a thing: change, consumption, contact, creation, possession."""
UNSEEN_FILES = frozenset((7, 9, 12, 16, 22, 24, 26))
"""WordNet's files of what cannot be seen: attribute, cognition, feeling, motive, process, relation, state."""
TIMES = ("time", "season", "weather")
OWN = 3
"""A plural that the texts WordNet counted have so often is a word of its own: "woods", "goods"."""
WEATHER = frozenset(("sun", "cloud", "storm"))
"""What makes the weather in -y, beside what the lexicon calls weather."""


def roles_of(sentence: Sentence) -> tuple[str, ...]:
    """Return the slot of each word."""
    lexicon = read_lexicon()
    return tuple(_role(sentence, word, lexicon) for word in range(len(sentence.words)))


def _role(sentence: Sentence, word: int, lexicon: Lexicon) -> str:
    tag = sentence.tags[word]
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
    if not sentence.tags[sentence.heads[word]].startswith("VB") or sentence.heads[word] == word:
        return False
    if sentence.deps[word] == "prt" or sentence.words[word] in DIRECTIONS:
        return True
    return sentence.deps[word] == "advmod" and sentence.words[word].endswith("ly")


def _role_of_adjective(sentence: Sentence, word: int, lexicon: Lexicon) -> str:
    head = sentence.heads[word]
    text = sentence.words[word]
    if text in DIRECTIONS and sentence.tags[head].startswith("VB"):
        return "action"
    if is_film(sentence, word):
        return "other"
    if is_film(sentence, head) and text in OF_FILM and qualified(sentence, word) is None:
        return "other"
    return "scene" if weather_of(text, lexicon) or _is_time(text, lexicon) else "attribute"


def _is_time(noun: str, lexicon: Lexicon) -> bool:
    return any(lexicon.is_a(noun, name) for name in TIMES)


def weather_of(adjective: str, lexicon: Lexicon) -> str | None:
    """Return the weather, time or season of which an adjective in -y tells: rain of "rainy"; else None."""
    if not adjective.endswith("y") or len(adjective) < 5:
        return None
    stems = (adjective[:-1], adjective[:-1] + "e", adjective[:-2] if adjective[-2] == adjective[-3] else adjective[:-1])
    return next((stem for stem in stems if _is_time(stem, lexicon) or stem in WEATHER), None)


def is_film(sentence: Sentence, word: int) -> bool:
    """Whether a word is one for the film itself."""
    if sentence.lemmas[word] == "screen":
        return sentence.words[max(word - 1, 0)] in ("green", "blue")
    if sentence.words[word] == "time":
        return sentence.words[word + 1 : word + 2] == ("lapse",)
    return sentence.words[word] in FILM or sentence.lemmas[word] in FILM


def is_seen(sentence: Sentence, word: int) -> bool:
    """Whether a word that can mean the film is a thing in it: "waves to the camera", "on a white background"."""
    if sentence.lemmas[word] not in STILL_SEEN:
        return False
    return sentence.deps[word] in ("dobj", "pobj") and sentence.lemmas[word] != "scene"


def qualified(sentence: Sentence, word: int) -> int | None:
    """Return the noun after a noun that the noun only qualifies: "city" of "city park"; None if there is none.

    A noun before a word for the film is what is seen: "forest landscape view".
    """
    head = sentence.heads[word]
    if sentence.deps[word] not in BEFORE_NOUN or head <= word or sentence.tags[head] not in NOUN_TAGS:
        return None
    if not is_film(sentence, head) or is_seen(sentence, head):
        return head
    between = (at for at in range(word + 1, head) if sentence.tags[at] in NOUN_TAGS and not is_film(sentence, at))
    return next(between, None)


def governor(sentence: Sentence, noun: int) -> int:
    """Return the word that a noun phrase hangs on: the noun itself, or of a list its first, or of a partitive that."""
    seen = {noun}
    while True:
        head = sentence.heads[noun]
        if sentence.deps[noun] == "conj" and sentence.tags[head] in NOUN_TAGS:
            noun = head
        elif sentence.deps[noun] == "pobj" and is_partitive(sentence, sentence.heads[head]) and _is_of(sentence, head):
            noun = sentence.heads[head]
        else:
            return noun
        if noun in seen:
            return noun
        seen.add(noun)


def _is_of(sentence: Sentence, word: int) -> bool:
    return sentence.words[word] == "of"


def is_partitive(sentence: Sentence, word: int) -> bool:
    """Whether a noun hands on to what follows "of"."""
    if sentence.tags[word] not in (*NOUN_TAGS, "IN", "RB", "JJ", "DT", "CD"):
        return False
    return sentence.lemmas[word] in PARTITIVES or (is_film(sentence, word) and not is_seen(sentence, word))


def preposition(sentence: Sentence, noun: int) -> int | None:
    """Return the preposition before a noun phrase; None if it has none."""
    top = governor(sentence, noun)
    return sentence.heads[top] if sentence.deps[top] == "pobj" else None


def content_of(sentence: Sentence, noun: int) -> int:
    """Return what a partitive hands on to ("people" of "a number of people"); another noun itself."""
    for _ in sentence.words:
        of = next((child for child in sentence.children[noun] if sentence.words[child] == "of"), None)
        inner = sentence.child(of, "pobj") if of is not None and is_partitive(sentence, noun) else None
        if inner is None:
            return noun
        noun = inner
    return noun


def is_topic(sentence: Sentence, noun: int, lexicon: Lexicon) -> bool:
    """Whether a noun is what is talked of: after "about", or what somebody explains or discusses."""
    top = governor(sentence, noun)
    head = sentence.heads[top]
    if sentence.deps[top] == "pobj":
        return sentence.words[head] in TOPIC_PREPOSITIONS and sentence.heads[head] != head
    return sentence.deps[top] == "dobj" and lexicon.is_speech(sentence.lemmas[head])


def _role_of_noun(sentence: Sentence, word: int, lexicon: Lexicon) -> str:
    lemma = key_of(sentence, word, lexicon)
    head = qualified(sentence, word)
    is_time = _is_time(lemma, lexicon) or (head == word + 1 and lexicon.is_a(sentence.lemmas[head], "weather"))
    if lemma in UNSEEN or (head is None and is_film(sentence, word) and not is_seen(sentence, word)):
        return "other"
    if head is not None:
        if is_time:
            return "scene"
        is_who = lexicon.is_a(lemma, "person") and lexicon.is_a(sentence.lemmas[head], "person")
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
    return "other" if lexicon.file_of_noun(key_of(sentence, word, lexicon)) in UNSEEN_FILES else "object"


def is_doing(sentence: Sentence, word: int, lexicon: Lexicon) -> bool:
    """Whether a noun in -ing tells what is done: "dancing", not "building"."""
    text = sentence.words[word]
    if not text.endswith("ing") or len(text) < 6 or not lexicon.is_abstract(text):
        return False
    return not any(text[:-3] == stem for stem in ("even", "morn"))


def is_place(sentence: Sentence, word: int, lexicon: Lexicon) -> bool:
    """Whether a noun is where something is: a place with which nothing is done, or a vehicle that someone is in."""
    lemma = name_of(sentence, word, lexicon)
    top = governor(sentence, word)
    at = preposition(sentence, word)
    if sentence.words[word] in PLACE_WORDS and (at is not None or sentence.words[word] != "nature"):
        return True
    if lexicon.is_a(lemma, "place"):
        if at is not None:
            return sentence.words[at] not in ("with", "for", "like", "as", *TOPIC_PREPOSITIONS)
        verb = sentence.heads[top]
        return not (sentence.deps[top] == "dobj" and lexicon.file_of_verb(sentence.lemmas[verb]) in HANDLED)
    if at is None or not lexicon.is_a(lemma, "vehicle"):
        return False
    verb = sentence.heads[at]
    is_put = sentence.tags[verb].startswith("VB") and lexicon.file_of_verb(sentence.lemmas[verb]) in HANDLED
    prepositions = ("in", "inside", "on", "aboard") if lexicon.is_a(lemma, "carrier") else ("in", "inside")
    return sentence.words[at] in prepositions and not is_put


def name_of(sentence: Sentence, noun: int, lexicon: Lexicon) -> str:
    """Return the lemma of a noun with the words before it that make one thing with it: "video game"."""
    before, lemma = noun - 1, sentence.lemmas[noun]
    if before >= 0 and sentence.heads[before] == noun and sentence.deps[before] in BEFORE_NOUN:
        compound = f"{sentence.words[before]} {lemma}"
        is_one = lexicon.has(compound, "noun")
        if is_one and (
            sentence.tags[before] in NOUN_TAGS or lexicon.classes(compound).isdisjoint(lexicon.classes(lemma))
        ):
            return compound  # "young woman" is listed, too, but is a woman who is young
    return key_of(sentence, noun, lexicon)


def key_of(sentence: Sentence, noun: int, lexicon: Lexicon) -> str:
    """Return a noun as the lexicon lists it: a plural with a meaning of its own as it is ("goods"), else the lemma."""
    text, lemma = sentence.words[noun], sentence.lemmas[noun]
    is_own = text != lemma and lexicon.frequency(text, "noun") >= OWN
    return text if is_own and (not lexicon.is_abstract(text) or lexicon.is_abstract(lemma)) else lemma


def is_shown(sentence: Sentence, verb: int) -> bool:
    """Whether a verb only says that the film shows something: "we see", "is shown", "the clip shows"."""
    lemma = sentence.lemmas[verb]
    subject = sentence.child(verb, "nsubj", "nsubjpass")
    if sentence.child(verb, "nsubjpass") is not None and lemma in SEEING:
        return True
    if lemma in SEEING and subject is not None and sentence.words[subject] in ("we", "you", "i"):
        return True
    return lemma in SHOWING and (subject is None or is_film(sentence, subject))


def is_light(sentence: Sentence, verb: int) -> bool:
    """Whether a verb tells nothing itself: "begins" of "begins to run"."""
    return sentence.lemmas[verb] in LIGHT_VERBS


def is_place_preposition(word: str) -> bool:
    """Whether a preposition can tell where something is."""
    return word in PLACE_PREPOSITIONS

"""Noun phrases as texts have them: with the article that fits, and a qualifier with its noun."""

from cvr_data.language.changes import Phrase
from cvr_data.language.closed_words import DIRECTIONS, FILM
from cvr_data.language.countable import is_eaten, is_place_name, is_uncounted, noun_is_counted
from cvr_data.language.forms import article
from cvr_data.language.frames import Frame
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.naming import head_of
from cvr_data.language.nouns import BEFORE_NOUN, NOUN_TAGS, is_film_noun, is_visible_noun, noun_lexicon_key, preposition
from cvr_data.language.roles import ACT, UNSEEN_FILES, is_showing_verb
from cvr_data.language.tree import FINITE

BODY = 8
"""WordNet's file of parts of the body."""
FOOD, PLANT = 13, 20
STUFF = (FOOD, PLANT, 27)
"""WordNet's files of what may be a mass or one thing: food, plant, substance."""
CHOSEN = frozenset("bottom first last left lower next other right same second third top upper".split())
"""Adjectives that "the" stands before."""
ONLY = frozenset("air countryside earth ground moon ocean sea seaside sky sun".split())
"""What there is one of: "the sun"."""
SEEN = ("sport", "group", "image", "light", "weather", "colour")
UNLIKE = tuple(
    set(pair.split())
    for pair in (
        "alive scene",
        "alive deed",
        "alive verb",
        "alive unseen",
        "thing deed",
        "thing unseen",
        "scene deed",
        "scene unseen",
    )
)
"""Kinds that one does not become the other."""
UNLIKE_DEEDS = tuple(
    set(pair.split()) for pair in ("alive verb", "scene verb", "thing verb", "unseen verb", "film verb")
)
"""Kinds that are not said of one another where the slot is what is done."""
TIMES = ("season", "time", "weather")
COUNTED = frozenset("a an one another each every".split())
LEADING = frozenset("DT PRP$ IN TO WDT EX CC".split())
TRAILING = frozenset("DT IN TO WDT WP CC PRP$ MD".split())
SIGNS = frozenset(", . : -LRB- -RRB- HYPH SYM `` ''".split())
LONGEST_SIMPLE, LONGEST_PREPOSITION = 3, 4
MOST_SAID = (5, 9)
"""Words of a side, at most; of one that tells what is done."""
CLAUSE = frozenset("that which who when while where because".split())
LONGEST = 4
"""Words from a qualifier to its noun."""


def bare(frame: Frame, phrase: Phrase, text: str) -> str:
    """Return the words of a side without what only leads to it (articles, prepositions), with its compound."""
    words = [word for word in phrase.words if frame.sentence.tags[word] not in SIGNS]
    while len(words) > 1 and frame.sentence.tags[words[0]] in LEADING:
        words.pop(0)
    while len(words) > 1 and frame.sentence.tags[words[-1]] in TRAILING:
        words.pop()
    nouns = [word for word in words if frame.sentence.tags[word] in NOUN_TAGS]
    cut = next((at for at, word in enumerate(words) if nouns and word > nouns[0] and _leads_on(frame, word)), None)
    words = words[:cut]  # "bag" of "bag to the left hand"
    if words and _makes_one(frame, words[0] - 1, words[0]):
        words.insert(0, words[0] - 1)
    said = " ".join(frame.sentence.words[word] for word in words).replace(" 's", "'s")
    return said or text.lower()


def _leads_on(frame: Frame, word: int) -> bool:
    """Whether a word leads from a thing to another."""
    return frame.sentence.tags[word] in ("IN", "TO") and frame.sentence.words[word] != "of"


def _makes_one(frame: Frame, before: int, noun: int) -> bool:
    """Whether the noun before a noun that comes or goes makes one thing with it: "coffee" of "coffee maker"."""
    sentence, lexicon = frame.sentence, read_lexicon()
    if before < 0 or sentence.deps[before] != "compound" or sentence.heads[before] != noun:
        return False
    if _is_done_to(frame, before, noun):
        return False  # "working on laptop and drinking juice"
    if sentence.deps[noun] in BEFORE_NOUN:
        return False
    name, tags = sentence.lemmas[before], (sentence.tags[before], sentence.tags[noun])
    is_noun = tags[0] == "NN" and tags[1] in NOUN_TAGS
    is_order = before == 0 and lexicon.has(name, "verb") and not any(tag.startswith("VB") for tag in sentence.tags)
    if is_order or lexicon.may_be(sentence.words[noun], "colour"):
        return False  # "slice cucumber", "pepper red"
    if lexicon.relation(sentence.lemmas[noun], name, "noun") == "below":
        return False  # "fruit kiwi"
    return is_noun and lexicon.has(name, "noun") and not lexicon.is_a(name, "person") and name not in FILM


def _is_done_to(frame: Frame, participle: int, noun: int) -> bool:
    """Whether a word in -ing before a noun tells what is done to that: "grilling steak", not "mixing bowl"."""
    sentence, lexicon = frame.sentence, read_lexicon()
    if not sentence.words[participle].endswith("ing") or lexicon.verb_of(sentence.words[participle]) is None:
        return False
    if not participle:
        is_one = lexicon.has(f"{sentence.words[participle]} {sentence.lemmas[noun]}", "noun")
        return not is_one and lexicon.file_of_noun(sentence.lemmas[noun]) in (FOOD, PLANT)
    first = sentence.lemmas[participle - 1]
    return first == "and" or sentence.tags[participle - 1] in NOUN_TAGS  # "with knife cutting avocado"


def with_article(frame: Frame, said: str, head: int) -> str:
    """Return a noun phrase as it comes in: "a piano", "apples", "coffee", "the sea"."""
    sentence, lexicon = frame.sentence, read_lexicon()
    noun = noun_of(frame, head)
    noun = head if noun is None else noun
    determiner = sentence.child(noun, "det", "poss", "nummod")
    told = sentence.words[determiner] if determiner is not None else ""
    if " of " in said:
        first = said.split(" of ")[0].split()[-1]
        return said if lexicon.singular_of(first) else f"{article(said)} {said}"  # "a glass of beer"
    if sentence.tags[noun] in ("NNS", "NNPS") or noun != head or lexicon.singular_of(sentence.words[noun]):
        return said
    if determiner is not None and sentence.tags[determiner] == "PRP$":
        is_own = not is_filmer(frame) or lexicon.file_of_noun(sentence.lemmas[noun]) == BODY
        return f"{told} {said}" if is_own else f"{article(said)} {said}"  # "her hand"; of who films "a phone"
    if said.split()[0] in CHOSEN and " " in said:
        return f"the {said}"
    if sentence.lemmas[noun] in ONLY and said == sentence.words[noun] and told not in COUNTED:
        return f"the {said}"
    if sentence.tags[noun] == "NNP" and is_place_name(sentence.lemmas[noun]):
        return said  # "north africa"
    if sentence.lemmas[noun] == "light" and sentence.deps[noun] == "dobj" and said == "light":
        return "the light"  # "turn off the light"
    is_there = frame.roles[head] == "scene" and sentence.deps[noun] != "dobj"  # "in the bar", not "drops the bar"
    if told == "the" and (is_there or not lexicon.has(head_of(sentence.lemmas[head]), "noun")):
        return f"the {said}"
    if told not in COUNTED and (is_uncounted(sentence.words[head], sentence.lemmas[head]) or _is_bare(frame, head)):
        return said
    return said if noun_time_axis(sentence.lemmas[head]) and told not in COUNTED else f"{article(said)} {said}"


def _is_bare(frame: Frame, noun: int) -> bool:
    """Whether a noun that may be counted or not stands without an article where the caption is not short of them.

    "A man is cutting shrimp", and anything but a living shrimp that does something.
    """
    sentence, lemma = frame.sentence, frame.sentence.lemmas[noun]
    if noun_is_counted(lemma) is not None or sentence.child(noun, "det", "poss", "nummod") is not None:
        return False
    is_stuff = not {*read_lexicon().files(lemma)}.isdisjoint(STUFF)
    if any(event.agent is not None and frame.things[event.agent].head == noun for event in frame.events):
        return False
    if sentence.lemmas[sentence.heads[noun]] == "play" and read_lexicon().may_be(lemma, "sport"):
        return True
    is_told = sentence.deps[noun] in ("dobj", "pobj") and not {"a", "an", "the"}.isdisjoint(sentence.words)
    return (is_stuff and is_told) or is_eaten(lemma)


def noun_time_axis(lemma: str) -> str:
    """Return whether a noun is one of season, weather or time; empty if of none. A sunset is a time."""
    lexicon = read_lexicon()
    found = next((name for name in TIMES if lexicon.is_a(lemma, name)), "")
    return "time" if found == "weather" and lexicon.may_be(lemma, "time") else found


def qualifier_with_noun(frame: Frame, phrase: Phrase, head: int | None, before: str) -> tuple[str, str]:
    """Return what goes and comes with the noun that it qualifies in the target: "a maple leaf", "an oak leaf".

    `before` is what goes, bare of articles; empty where it is no quality.
    """
    noun = noun_of(frame, head) if head is not None else None
    if head is not None and noun == head and frame.sentence.deps[head] == "poss":
        noun = frame.sentence.heads[head]  # "horse" of "a horse's eye"
    if not phrase.words or noun is None or not 0 < noun - phrase.words[-1] <= LONGEST:
        return "", ""
    tail = range(phrase.words[-1] + 1, noun + 1)
    plural = next((word for word in tail if frame.sentence.tags[word] == "NNS"), noun)
    noun, tail = plural, range(tail.start, plural + 1)  # "green apples" of "green apples fresh fruit"
    if any(frame.sentence.tags[word] in SIGNS for word in tail) or is_doing(frame, noun):
        return "", ""
    if frame.sentence.tags[phrase.words[-1]] in NOUN_TAGS and any(frame.sentence.tags[word] == "VBG" for word in tail):
        return "", ""  # "process spinning globe"
    words = " ".join(frame.sentence.words[word] for word in tail)
    said = bare(frame, phrase, "")
    is_body = not words.startswith("'s") and read_lexicon().file_of_noun(frame.sentence.lemmas[noun]) == BODY
    if is_body and read_lexicon().is_a(said, "person") and not read_lexicon().has(said, "adj"):  # no "red's heart"
        owners = (f"{article(side)} {side.lower()}'s {words}" for side in (before, said) if side)  # "a woman's legs"
        return (next(owners) if before else "", next(owners))
    new, old = (f"{side} {words}".replace(" 's", "'s") for side in (said, before.lower()))
    return with_article(frame, old, noun) if before else "", with_article(frame, new, noun)


def is_fragment(frame: Frame, phrase: Phrase, slot: str) -> bool:
    """Whether the words of a side are no phrase: a clause and a half, or what lacks the end of its own."""
    sentence, words = frame.sentence, list(phrase.words)
    if "#" in (sentence.words[word] for word in words):
        return True  # "#unsure"
    if len(words) < LONGEST_SIMPLE:
        return False
    finite = [word for word in words if sentence.tags[word] in FINITE and sentence.words[word] not in DIRECTIONS]
    is_whole = sentence.tags[words[-1]] not in TRAILING
    if any(sentence.words[word] in CLAUSE for word in words) or len(words) > MOST_SAID[slot == "action"]:
        return True
    if any(is_showing_verb(sentence, word) for word in finite) or any(
        word > words[0] and sentence.deps[word] == "nsubj" for word in words
    ):
        return True
    return not is_whole or (slot != "action" and bool(finite))


def preposition_before(frame: Frame, number: int) -> str:
    """Return the preposition before a thing, with the noun that it hands on: "in front of"; a long one is none."""
    sentence, thing = frame.sentence, frame.things[number]
    at = preposition(sentence, thing.head)
    if at is not None and is_other_deed(frame, at, thing.head):
        return ""
    if at is None or thing.preposition == "" or sentence.child(at, "pobj") == thing.head or at > thing.first:
        return thing.preposition
    if sentence.deps[thing.head] == "conj":
        return thing.preposition
    words = sentence.words[at : thing.first]
    return " ".join(words) if len(words) <= LONGEST_PREPOSITION else ""


def is_other_deed(frame: Frame, at: int, noun: int) -> bool:
    """Whether something else is done to a noun than what its preposition tells: "working on it and drinking coffee"."""
    words = range(at + 1, noun)
    return any(frame.sentence.words[word - 1] == "and" and is_doing(frame, word) for word in words) or any(
        frame.sentence.tags[word].startswith("VB") and frame.sentence.deps[word] in ("conj", "acl") for word in words
    )


def noun_kind(frame: Frame, noun: int) -> str:
    """Return what a noun broadly names: what lives, a place, what is done, what cannot be seen, or another thing."""
    sentence, lexicon = frame.sentence, read_lexicon()
    if sentence.tags[noun] not in NOUN_TAGS:
        return "verb" if sentence.tags[noun].startswith("VB") else ""
    if is_film_noun(sentence, noun) and not is_visible_noun(sentence, noun):
        return "film"
    name = noun_lexicon_key(sentence, noun, lexicon)
    classes, file = lexicon.classes(name), lexicon.file_of_noun(name)
    if not classes.isdisjoint(("person", "animal")):
        return "alive"
    if "place" in classes or not classes.isdisjoint(TIMES):
        return "scene"
    if is_doing(frame, noun):
        return "verb"
    if file == ACT and "sport" not in classes:
        return "deed"
    return "unseen" if file in UNSEEN_FILES and classes.isdisjoint(SEEN) else "thing"


def noun_of(frame: Frame, word: int) -> int | None:
    """Return the noun that a word is or belongs to; of "blue sky white clouds" each has its own."""
    noun = word if frame.sentence.tags[word] in NOUN_TAGS else frame.sentence.heads[word]
    return noun if _has_own(frame, noun) else frame.noun_of(word)


def _has_own(frame: Frame, noun: int) -> bool:
    """Whether a noun that seems to qualify another has an adjective, as that has: "sky"."""
    sentence, end = frame.sentence, frame.sentence.heads[noun]
    links = [(noun - 1, noun, "amod"), (noun, end, "compound"), (noun + 1, end, "amod")]
    if not noun or end != noun + 2 or sentence.tags[noun] not in NOUN_TAGS:
        return False
    is_pair = all(sentence.heads[word] == head and sentence.deps[word] == dep for word, head, dep in links)
    return is_pair and not read_lexicon().is_a(sentence.lemmas[end], "person")  # "young business indian woman"


def is_filmer(frame: Frame) -> bool:
    """Whether a caption tells what who films does: "C opens a drawer"."""
    return frame.sentence.words[:1] in (("c",), ("#c",))


def is_doing(frame: Frame, noun: int) -> bool:
    """Whether a noun in -ing tells what is done: "blooming" of "lily blooming"."""
    sentence, lexicon = frame.sentence, read_lexicon()
    word = sentence.words[noun]
    if not word.endswith("ing") or sentence.tags[noun] not in NOUN_TAGS:
        return False
    verb = lexicon.verb_of(word)
    if noun_is_counted(word) and not lexicon.is_abstract(word):
        return False  # "building"
    return verb is not None and lexicon.frequency(verb, "verb") >= lexicon.frequency(word, "noun")

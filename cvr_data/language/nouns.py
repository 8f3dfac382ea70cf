"""How the noun phrases of a parsed caption are built: what qualifies, governs and hands on to what.

A noun before a word for the film itself is what is seen ("forest landscape view"), and what follows the "of" of a
partitive is the thing ("a slice of bread").
"""

from cvr_data.language.closed_words import FILM, PARTITIVES, STILL_SEEN
from cvr_data.language.lexicon import Lexicon
from cvr_data.language.parse import Sentence

NOUN_TAGS = frozenset(("NN", "NNS", "NNP", "NNPS"))
BEFORE_NOUN = frozenset(("compound", "amod", "nmod", "npadvmod", "quantmod", "nummod"))
STOPS = frozenset((",", ".", ":", "-LRB-", "-RRB-"))
OWN = 3
"""A plural that the texts WordNet counted have so often is a word of its own: "woods", "goods"."""


def is_film_noun(sentence: Sentence, word: int) -> bool:
    """Whether a word is one for the film itself."""
    if sentence.lemmas[word] == "screen":
        return sentence.words[max(word - 1, 0)] in ("green", "blue")
    if sentence.lemmas[word] == "close" and sentence.child(word, "dobj") is not None:
        return False  # "closes a door"
    if sentence.words[word] == "time":
        return sentence.words[word + 1 : word + 2] == ("lapse",)
    return sentence.words[word] in FILM or sentence.lemmas[word] in FILM


def is_visible_noun(sentence: Sentence, word: int) -> bool:
    """Whether a word that can mean the film is a thing in it: "waves to the camera", "on a white background"."""
    if sentence.lemmas[word] not in STILL_SEEN:
        return False
    return sentence.deps[word] in ("dobj", "pobj") and sentence.lemmas[word] != "scene"


def qualified_noun(sentence: Sentence, word: int) -> int | None:
    """Return the noun after a noun that the noun only qualifies: "city" of "city park"; None if there is none.

    A noun before a word for the film is what is seen: "forest landscape view".
    """
    head = sentence.heads[word]
    if sentence.deps[word] not in BEFORE_NOUN or head <= word or sentence.tags[head] not in NOUN_TAGS:
        return None
    if any(tag in STOPS for tag in sentence.tags[word + 1 : head]):
        return None  # "sandy sea, beach"
    if sentence.tags[word + 1] == "CC" and sentence.words[word + 2].endswith("ing"):
        return None  # "using laptop and drinking coffee"
    if not is_film_noun(sentence, head) or is_visible_noun(sentence, head):
        return head
    between = (at for at in range(word + 1, head) if sentence.tags[at] in NOUN_TAGS and not is_film_noun(sentence, at))
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
    return sentence.lemmas[word] in PARTITIVES or (is_film_noun(sentence, word) and not is_visible_noun(sentence, word))


def preposition(sentence: Sentence, noun: int) -> int | None:
    """Return the preposition before a noun phrase; None if it has none."""
    top = governor(sentence, noun)
    return sentence.heads[top] if sentence.deps[top] == "pobj" else None


def noun_after_partitive(sentence: Sentence, noun: int) -> int:
    """Return what a partitive hands on to ("people" of "a number of people"); another noun itself."""
    for _ in sentence.words:
        of = next((child for child in sentence.children[noun] if sentence.words[child] == "of"), None)
        inner = sentence.child(of, "pobj") if of is not None and is_partitive(sentence, noun) else None
        if inner is None:
            return noun
        noun = inner
    return noun


def compound_noun_name(sentence: Sentence, noun: int, lexicon: Lexicon) -> str:
    """Return the lemma of a noun with the words before it that make one thing with it: "video game"."""
    before, lemma = noun - 1, sentence.lemmas[noun]
    if before >= 0 and sentence.heads[before] == noun and sentence.deps[before] in BEFORE_NOUN:
        compound = f"{sentence.words[before]} {lemma}"
        is_one = lexicon.has(compound, "noun")
        if is_one and (sentence.tags[before] in NOUN_TAGS or _is_new(compound, lemma, lexicon)):
            return compound  # "young woman" is listed, too, but is a woman who is young
    return noun_lexicon_key(sentence, noun, lexicon)


def _is_new(compound: str, head: str, lexicon: Lexicon) -> bool:
    """Whether an adjective and a noun are another thing than the noun: "hot dog", not "wooden spoon"."""
    return lexicon.classes(compound).isdisjoint(lexicon.classes(head)) and not lexicon.is_kind(compound, head)


def noun_lexicon_key(sentence: Sentence, noun: int, lexicon: Lexicon) -> str:
    """Return a noun as the lexicon lists it: a plural with a meaning of its own as it is ("goods"), else the lemma."""
    text, lemma = sentence.words[noun], sentence.lemmas[noun]
    is_own = text != lemma and lexicon.frequency(text, "noun") >= OWN
    return text if is_own and (lexicon.is_a(text, "place") or lexicon.is_abstract(lemma)) else lemma


def is_colour(sentence: Sentence, word: int, lexicon: Lexicon) -> bool:
    """Whether a noun is a colour that something has: "in green", "isolated on black"; not "an orange"."""
    text = sentence.words[word]
    if not lexicon.may_be(text, "colour") or sentence.child(word, "det", "poss") is not None:
        return False
    if lexicon.frequency(text, "adj") > lexicon.frequency(text, "noun"):
        return True
    return sentence.deps[word] == "pobj" and lexicon.has(text, "adj")

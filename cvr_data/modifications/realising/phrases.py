"""Noun phrases as texts have them: with the article that fits, and a qualifier with its noun."""

from cvr_data.language.changes import Phrase
from cvr_data.language.closed_words import FILM
from cvr_data.language.frames import Frame
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.naming import head_of
from cvr_data.language.nouns import BEFORE_NOUN, NOUN_TAGS
from cvr_data.modifications.realising.forms import article

MASS = (7, 12, 13, 19, 22, 26, 27)
"""WordNet's files of what is not counted: attribute, feeling, food, phenomenon, process, state, substance."""
UNCOUNTED = frozenset(
    "advice art arugula asparagus bark beef blood broccoli cardboard cash celery cereal chess clothing corn "
    "cotton cream cutlery damage dust equipment foam footage furniture garlic graffiti grass hair hay "
    "homework information jewelry kale laundry lettuce lightning lingerie literature luggage machinery mail "
    "makeup mint money moss music nature news parsley pasta pollution pork pottery research rice rubbish "
    "salmon scenery silverware soap software spaghetti spinach stuff technology traffic trash tupperware "
    "underwear vegetation wheat wildlife wood work yoga".split()
)
"""Nouns that no article "a" stands before, whatever they mean: the lexicon does not tell."""
ONES = frozenset(
    "background bagel biscuit burger burrito cake candle cocktail cookie croissant cupcake dessert dish "
    "dumpling egg feast flame flare game grinder hamburger herb hotdog lightbulb lighter match meal meatball "
    "muffin omelette pancake pie pizza rainbow sandwich sausage shadow sky snack steak taco tornado waffle "
    "wave".split()
)
"""Nouns of the same files that it stands before."""
ONLY = frozenset("air earth ground moon ocean sky sun".split())
"""What there is one of: "the sun"."""
SINGULAR_ENDS = ("ss", "us", "is", "as", "os", "ens")
"""Ends of singular nouns in -s: glass, cactus, iris, canvas, lens."""
TIMES = ("season", "time", "weather")
COUNTED = frozenset("a an one another each every".split())
LEADING = frozenset("DT PRP$ IN TO WDT EX CC".split())
TRAILING = frozenset("DT IN TO WDT WP CC PRP$ MD".split())
SIGNS = frozenset(", . : -LRB- -RRB- HYPH SYM `` ''".split())
LONGEST = 4
"""Words from a qualifier to its noun."""


def bare(frame: Frame, phrase: Phrase, text: str) -> str:
    """Return the words of a side without what only leads to it (articles, prepositions), with its compound."""
    words = [word for word in phrase.words if frame.sentence.tags[word] not in SIGNS]
    while len(words) > 1 and frame.sentence.tags[words[0]] in LEADING:
        words.pop(0)
    while len(words) > 1 and frame.sentence.tags[words[-1]] in TRAILING:
        words.pop()
    if words and _makes_one(frame, words[0] - 1, words[0]):
        words.insert(0, words[0] - 1)
    said = " ".join(frame.sentence.words[word] for word in words).replace(" 's", "'s")
    return said or text.lower()


def _makes_one(frame: Frame, before: int, noun: int) -> bool:
    """Whether the noun before a noun that comes or goes makes one thing with it: "coffee" of "coffee maker"."""
    sentence, lexicon = frame.sentence, read_lexicon()
    if before < 0 or sentence.deps[before] != "compound" or sentence.heads[before] != noun:
        return False
    if sentence.deps[noun] in BEFORE_NOUN:
        return False
    name, tags = sentence.lemmas[before], (sentence.tags[before], sentence.tags[noun])
    is_noun = tags[0] == "NN" and tags[1] in NOUN_TAGS
    return is_noun and lexicon.has(name, "noun") and not lexicon.is_a(name, "person") and name not in FILM


def with_article(frame: Frame, said: str, head: int) -> str:
    """Return a noun phrase as it comes in: "a piano", "apples", "coffee", "the sea"."""
    sentence, lexicon = frame.sentence, read_lexicon()
    noun = frame.noun_of(head)
    noun = head if noun is None else noun
    determiner = sentence.child(noun, "det", "poss", "nummod")
    told = sentence.words[determiner] if determiner is not None else ""
    if " of " in said:
        first = said.split(" of ")[0].split()[-1]
        return said if lexicon.singular_of(first) else f"{article(said)} {said}"  # "a glass of beer"
    if sentence.tags[noun] in ("NNS", "NNPS") or noun != head or lexicon.singular_of(sentence.words[noun]):
        return said
    if sentence.lemmas[noun] in ONLY and said == sentence.words[noun] and told not in COUNTED:
        return f"the {said}"
    if told == "the" and (frame.roles[head] == "scene" or not lexicon.has(head_of(sentence.lemmas[head]), "noun")):
        return f"the {said}"
    if is_uncounted(sentence.words[head], sentence.lemmas[head]) and told not in COUNTED:
        return said
    return said if time_axis(sentence.lemmas[head]) and told not in COUNTED else f"{article(said)} {said}"


def time_axis(lemma: str) -> str:
    """Return whether a noun is one of season, weather or time; empty if of none. A sunset is a time."""
    lexicon = read_lexicon()
    found = next((name for name in TIMES if lexicon.is_a(lemma, name)), "")
    return "time" if found == "weather" and lexicon.may_be(lemma, "time") else found


def is_uncounted(word: str, lemma: str) -> bool:
    """Whether no "a" stands before a noun: a mass, a name, or one that only has a plural."""
    lexicon = read_lexicon()
    if lemma in ONES or not lexicon.has(head_of(lemma), "noun"):
        return lemma not in ONES
    if lemma in UNCOUNTED or lexicon.is_a(lemma, "sport"):
        return True
    if word.endswith("s") and not word.endswith(SINGULAR_ENDS) and word == lemma:
        return lexicon.singular_of(word) is not None
    is_food = any(lexicon.relation(lemma, kind, "noun") == "below" for kind in ("fruit", "vegetable"))
    return not is_food and (lexicon.file_of_noun(lemma) in MASS or word.endswith("ing"))


def wholes(frame: Frame, phrase: Phrase, head: int | None, before: str) -> tuple[str, str]:
    """Return what goes and comes with the noun that it qualifies in the target: "a maple leaf", "an oak leaf".

    `before` is what goes, bare of articles; empty where it is no quality.
    """
    noun = frame.noun_of(head) if head is not None else None
    if not phrase.words or noun is None or not 0 < noun - phrase.words[-1] <= LONGEST:
        return "", ""
    tail = range(phrase.words[-1] + 1, noun + 1)
    if any(frame.sentence.tags[word] in SIGNS for word in tail) or is_doing(frame, noun):
        return "", ""
    words = " ".join(frame.sentence.words[word] for word in tail)
    new, old = f"{bare(frame, phrase, '')} {words}", f"{before.lower()} {words}"
    return with_article(frame, old, noun) if before else "", with_article(frame, new, noun)


def is_doing(frame: Frame, noun: int) -> bool:
    """Whether a noun in -ing tells what is done: "blooming" of "lily blooming"."""
    sentence, lexicon = frame.sentence, read_lexicon()
    word = sentence.words[noun]
    if not word.endswith("ing") or sentence.tags[noun] not in NOUN_TAGS:
        return False
    verb = lexicon.verb_of(word)
    return verb is not None and lexicon.frequency(verb, "verb") >= lexicon.frequency(word, "noun")

"""Whether a text names a thing: in a form of its word, or in one that the lexicon calls the same or a kind of it.

words_name_phrase(["an", "eagle"], "bird")               # True: an eagle is a bird
words_name_phrase(["a", "vehicle"], "car", "bus")        # False: so is a bus
"""

from collections.abc import Collection
from functools import lru_cache

from cvr_data.language.closed_words import SAME_PLACES
from cvr_data.language.dimensions import stands_for
from cvr_data.language.lexicon import PARTS, read_lexicon
from cvr_data.language.stop_words import EDIT_WORDS, SMALL_WORDS
from cvr_data.language.words import content_words, has_word, mentions, words_of

AGENTS = ("ist", "er", "or", "ian")
"""Endings of who does something with a thing: pianist."""
OFTEN = 0.2
"""A word is a part of speech that it is in so many of the texts that WordNet counted; "crab" is hardly a verb."""
PARTIAL = 4
"""A word that begins another counts as a form of it from so many letters on: "night" of "nighttime"."""
UNRELATED = ("apart", "sibling")


def words_name_phrase(words: Collection[str], phrase: str, other: str = "") -> bool:
    """Return whether words name a phrase, or what the lexicon calls the same or a kind of it, and not so the other."""
    if mentions(words, phrase):
        return True
    wanted = words_of(phrase)
    if len(wanted) == 1 and wanted[0] in SMALL_WORDS:
        alike = next((prepositions for prepositions in SAME_PLACES if wanted[0] in prepositions), frozenset(wanted))
        return not alike.isdisjoint(words) or any(_relation(word, f"go {wanted[0]}") == "same" for word in words)
    wanted, against = content_words(wanted), content_words(words_of(other))
    if len(wanted) != 1:
        return False
    return any(
        word_means(word, wanted[0]) and not word_means(word, (against or [""])[-1]) for word in content_words(words)
    )


@lru_cache(maxsize=65_536)
def word_means(word: str, wanted: str) -> bool:
    """Return whether a word is one for what another means: a synonym, a kind of it, or what it is a kind of."""
    if not wanted or word in EDIT_WORDS | SMALL_WORDS:
        return False
    is_one = stands_for("attribute", word) == stands_for("attribute", wanted)  # "fall" is hardly ever autumn to WordNet
    if is_one or has_word([word], wanted) or _shares_stem(word, wanted):
        return True
    heads = {wanted, head_of(wanted)}, {word, head_of(word)}
    return any(one == other or _relation(other, one) not in UNRELATED for one in heads[0] for other in heads[1])


def head_of(word: str) -> str:
    """Return the noun that a word written in one ends in: woman of "businesswoman"; another word itself."""
    lexicon = read_lexicon()
    cuts = (cut for cut in range(3, len(word) - 2) if lexicon.has(word[:cut], "noun"))
    return next((word[cut:] for cut in cuts if lexicon.has(_base(word[cut:], "noun"), "noun")), word)


def _relation(word: str, wanted: str) -> str:
    """Return how two words stand to each other as a part of speech that both of them often are."""
    lexicon = read_lexicon()
    bases = {part: (_base(word, part), _base(wanted, part)) for part in PARTS}
    common = {part: pair for part, pair in bases.items() if all(_is_often(one, part) for one in pair)}
    found = [lexicon.relation(*pair, part) for part, pair in common.items()]
    return next((relation for relation in found if relation not in UNRELATED), "apart")


def _is_often(word: str, part: str) -> bool:
    """Whether a word is listed as a part of speech and is it often: "crab" and "gray" are verb and noun, but rarely."""
    lexicon = read_lexicon()
    total = sum(lexicon.frequency(word, name) for name in PARTS)
    return lexicon.has(word, part) and lexicon.frequency(word, part) >= OFTEN * total


def _base(word: str, part: str) -> str:
    lexicon = read_lexicon()
    if lexicon.has(word, part) or part not in ("noun", "verb"):
        return word
    return (lexicon.verb_of(word) if part == "verb" else None) or lexicon.singular_of(word, part) or word


def _shares_stem(word: str, wanted: str) -> bool:
    """Whether one word begins the other, or is for who does something with it: nighttime, pianist."""
    short, long = sorted((word, wanted), key=len)
    if len(short) >= PARTIAL and long.startswith(short):
        return True
    stems = (word.removesuffix(end) for end in AGENTS if word.endswith(end))
    return any(len(stem) >= PARTIAL and wanted.startswith(stem) and len(wanted) <= len(stem) + 1 for stem in stems)

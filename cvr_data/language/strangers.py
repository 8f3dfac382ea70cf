"""Words of a text that come from nowhere: no caption has them, nor words that mean the same."""

from collections.abc import Collection, Sequence

from cvr_data.language.closed_words import FILM, NOBODY, PARTITIVES, VAGUE_COUNTS
from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.naming import word_means
from cvr_data.language.request_words import PRONOUNS
from cvr_data.language.stop_words import EDIT_WORDS, SMALL_WORDS
from cvr_data.language.words import content_words, has_word


def is_word_at_hand(word: str, known: Collection[str]) -> bool:
    """Return whether a word is of asking, among the known ones, or near one of them in meaning."""
    is_free = any(word in free for free in (EDIT_WORDS, FILM, PRONOUNS, NOBODY, PARTITIVES, VAGUE_COUNTS))
    return is_free or has_word(known, word) or any(word_means(word, one) for one in content_words(known))


def is_strange(word: str, known: Collection[str]) -> bool:
    """Return whether a word is for a thing that no known word is for; bodies have their parts."""
    lexicon = read_lexicon()
    counts = [lexicon.frequency(word, part) for part in ("noun", "verb", "adj")]
    if not lexicon.has(word, "noun") or lexicon.is_abstract(word) or counts[0] < max(counts[1:]):
        return False
    is_cut = any(one.startswith(word) for one in known)  # "cur" of "curtain"
    return not is_cut and not lexicon.is_a(word, "body") and not is_word_at_hand(word, known)


def last_of_phrase(words: Sequence[str]) -> str:
    """Return the last word of a noun phrase, before what is told of it: "elephant" of "a blue elephant on a ball"."""
    said = ""
    for word in words:
        if word in SMALL_WORDS and said:
            break
        said = "" if word in SMALL_WORDS else word
    return said

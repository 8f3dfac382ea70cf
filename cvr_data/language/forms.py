"""Forms of English words: base, -ing, plural, and the article before a noun.

Source of irregular forms: lemminflect (MIT, https://github.com/bjascob/LemmInflect).
"""

from functools import lru_cache

VOWELS = "aeiou"
SOUNDED = ("x-ray", "hour", "honest", "honou", "honor", "heir")
"""Words that begin with an H that is not heard."""
YU = ("uni", "use", "eu", "one", "once", "usa", "utah", "uk", "ute")
"""Beginnings that are written with a vowel and spoken with a consonant."""
NOT_YU = ("unin", "unim", "unid")


@lru_cache(maxsize=16_384)
def inflected(lemma: str, tag: str) -> str:
    """Return a form of a lemma by its Penn tag (VBG, NNS, VBN ...); the lemma itself if none is known."""
    from lemminflect import getInflection

    found = getInflection(lemma, tag=tag)
    return str(found[0]) if found else lemma


def article(phrase: str) -> str:
    """Return "a" or "an", as a phrase begins."""
    word = phrase.lower()
    if word.startswith(SOUNDED):
        return "an"
    if word.startswith(YU) and not word.startswith(NOT_YU):
        return "a"
    return "an" if word[:1] in VOWELS else "a"

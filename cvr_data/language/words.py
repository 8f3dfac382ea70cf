"""What a word is, and when two words are forms of one: mining, lint, prompts and statistics all ask here.

    words_of("A well-known dog's CAFE, don't!")      # [a, well-known, dog's, cafe, don't]
    same_word("dives", "diving")                     # True

A word is a run of letters, their marks and digits of any script. One apostrophe or hyphen between two of them belongs
to it, a possessive 's too, and so does a point or a comma between two digits: "1,000", "3.5", "close-up". All else
parts words or is none: "red/blue", "snow_storm", "U.S.", signs, emoji. Where words are written without spaces, a
Chinese character is a word, and a run of kana, Hangul or Thai is one. Words are in small letters and in Unicode's NFKC,
their apostrophes and hyphens are those of ASCII, and what cannot be seen is not in them; accents stay.

`cvr_data.language.normalise` finds the words of many texts at once, and `stems` is of English alone.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache

from cvr_data.language.stop_words import SMALL_WORDS

_CORE = r"[a-z0-9\u0080-\U0010ffff]"
"""What words are made of, in a folded text."""
_WORD = re.compile(rf"{_CORE}+(?:(?:['-]|(?<=[0-9])[.,](?=[0-9])){_CORE}+)*")
_ACUTE = "\u00b4"
"""An accent that stands alone; NFKC would make a space of it."""
_APOSTROPHES = frozenset("\u2018\u2019\u02bb\u02bc\u02b9\u2032\u2035`")
_HYPHENS = frozenset("\u2010\u2011")
_HAN = ((0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
"""First and last code point of each block of Chinese characters, and of the sign that repeats one."""
_INVISIBLE = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x180E, 0x180E), (0x200B, 0x200F), (0x202A, 0x202E),
    (0x2060, 0x206F), (0xFEFF, 0xFEFF),
)  # fmt: skip
"""Code points that only say where to break, to join or in which direction to write."""
_VARIANTS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
"""Code points that choose the picture of the sign before them."""

_IRREGULAR_FORMS = {
    "run": "ran", "sit": "sat", "stand": "stood", "swim": "swam swum", "fly": "flew flown", "eat": "ate eaten",
    "drink": "drank drunk", "drive": "drove driven", "ride": "rode ridden", "write": "wrote written",
    "throw": "threw thrown", "fall": "fell fallen", "rise": "rose risen", "grow": "grew grown", "go": "went gone",
    "sing": "sang sung", "sleep": "slept", "speak": "spoke spoken", "take": "took taken", "hold": "held",
    "shake": "shook shaken", "swing": "swung", "spin": "spun", "catch": "caught", "buy": "bought",
    "break": "broke broken", "draw": "drew drawn", "blow": "blew blown", "lie": "lay lain lying", "ring": "rang rung",
    "feed": "fed", "build": "built", "lead": "led", "leave": "left", "child": "children", "man": "men",
    "woman": "women", "person": "people", "mouse": "mice", "goose": "geese", "foot": "feet", "tooth": "teeth",
    "leaf": "leaves", "knife": "knives", "wolf": "wolves", "loaf": "loaves", "half": "halves", "calf": "calves",
}  # fmt: skip
_IRREGULAR = {form: base for base, forms in _IRREGULAR_FORMS.items() for form in forms.split()}


def clean_text(text: str) -> str:
    """Return the text as it is stored: in NFC, without what cannot be seen."""
    if text.isascii() and text.isprintable():
        return text
    return unicodedata.normalize("NFC", "".join(letter for letter in text if not is_invisible(letter)))


def words_of(text: str) -> list[str]:
    """Return the words of a text, in order."""
    return list(_found(text))


@lru_cache(maxsize=16_384)
def _found(text: str) -> tuple[str, ...]:
    """Return the words of a text; kept, since each lint check asks for those of the same rows."""
    found = _WORD.findall(folded(text))
    return tuple(found if text.isascii() else (word for word in found if any(map(str.isalnum, word))))


def folded(text: str) -> str:
    """Return the text in small letters and plain signs, as words are written; those of ASCII stay, to tell clauses."""
    if text.isascii():
        return text.lower().replace("`", "'")
    small = unicodedata.normalize("NFKC", text.replace(_ACUTE, "'")).lower()
    plain = "".join(map(_plain, unicodedata.normalize("NFKC", small)))
    return unicodedata.normalize("NFKC", plain).lower()  # dropping a character can bring two together


def is_invisible(character: str) -> bool:
    """Return whether a character is a control, zero-width or direction mark that no text needs; white space is none."""
    if character.isspace():
        return False
    return unicodedata.category(character) == "Cc" or _is_in(character, _INVISIBLE)


@lru_cache(maxsize=65_536)
def _plain(character: str) -> str:
    """Return what stands for a character in a folded text."""
    if character in _APOSTROPHES:
        return "'"
    if character in _HYPHENS:
        return "-"
    if character.isascii():
        return character
    if _is_in(character, (*_INVISIBLE, *_VARIANTS)):
        return ""
    if _is_in(character, _HAN):
        return f" {character} "
    return character if character.isalnum() or unicodedata.category(character)[0] == "M" else " "


def _is_in(character: str, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)


@lru_cache(maxsize=65_536)
def stems(word: str) -> frozenset[str]:
    """Return the base forms that the word may be a form of, itself included; "dog's" is a form of "dog"."""
    if word.endswith("'s"):
        return frozenset({word, *stems(word[:-2])})
    found = {word, _IRREGULAR.get(word, word)}
    if len(word) > 4 and word.endswith("ies"):
        found.add(word[:-3] + "y")
    if len(word) > 2 and word.endswith("s") and not word.endswith("ss"):
        found.add(word[:-1])
    for ending in ("es", "ed", "ing"):
        base = word[: -len(ending)]
        if word.endswith(ending) and len(base) >= 2:
            found |= {base, base + "e"}
            if len(base) >= 3 and base[-1] == base[-2]:
                found.add(base[:-1])
    return frozenset(found | {stem.replace("-", "") for stem in found})


def same_word(one: str, other: str) -> bool:
    """Return whether two words may be forms of one: walks and walking, dives and dive."""
    return not stems(one).isdisjoint(stems(other))


def has_word(words: Collection[str], wanted: str) -> bool:
    """Return whether a form of `wanted` is among the words.

    A hyphen may be written or not: "shirt" and "t-shirt" are in [a, t-shirt], and "t-shirt" is in [a, t, shirt].
    """
    forms = stems(wanted)
    if any(not forms.isdisjoint(_stems_within(word)) for word in words):
        return True
    parts = wanted.split("-")
    return len(parts) > 1 and all(has_word(words, part) for part in content_words(parts) or parts)


@lru_cache(maxsize=65_536)
def _stems_within(word: str) -> frozenset[str]:
    """Return the stems of a word and of the parts between its hyphens."""
    return stems(word).union(*map(stems, word.split("-"))) if "-" in word else stems(word)


def mentions(words: Collection[str], concept: str) -> bool:
    """Return whether the words name the concept: every content word of it, or all words if it has none."""
    wanted = content_words(words_of(concept)) or words_of(concept)
    return bool(wanted) and all(has_word(words, word) for word in wanted)


def content_words(words: Iterable[str]) -> list[str]:
    """Return the words that are neither function words nor words of place."""
    return [word for word in words if word not in SMALL_WORDS]

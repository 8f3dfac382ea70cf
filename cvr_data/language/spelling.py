"""When two words are one, misspelled: a letter more, fewer, changed or swapped in a word that nobody lists."""

from cvr_data.language.lexicon import PARTS, Lexicon, read_lexicon

SHORT = 4
"""In words of fewer letters one letter makes another word."""
SWAPPED = 5
"""In words of more letters two letters swapped are a slip even if a rare word comes of it."""
ENDS = ("", "s", "es", "ed", "d", "ing", "er", "r", "ly")


_LOOK_ALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u03bf\u03c1\u03bd\u03b1\u03b9",
    "aeopcyxijshdqwopvai",
)
"""Letters of Cyrillic and Greek -> those of Latin that look like them."""


def is_misspelling(one: str, other: str) -> bool:
    """Whether one of two words is no word and differs from the other by one letter or two letters swapped.

    Words that look the same, in letters of two scripts, are one too.
    """
    if one.translate(_LOOK_ALIKES) == other.translate(_LOOK_ALIKES):
        return one != other
    lexicon = read_lexicon()
    if sorted(one) == sorted(other) and len(one) > SWAPPED and 0 in (_tally(one, lexicon), _tally(other, lexicon)):
        return is_one_slip(one, other)  # "preforms" is listed, and never meant
    if _is_word(one, lexicon) and _is_word(other, lexicon):
        return False
    is_long = min(len(one), len(other)) >= SHORT
    return (is_long or not any(lexicon.has(one, part) or lexicon.has(other, part) for part in PARTS)) and is_one_slip(
        one, other
    )


def _tally(text: str, lexicon: Lexicon) -> int:
    return max(lexicon.frequency(text.removesuffix(end), part) for end in ENDS for part in PARTS)


def _is_word(text: str, lexicon: Lexicon) -> bool:
    """Whether a word, or what stays of it without an ending, is listed."""
    for end in ENDS:
        stem = text[: len(text) - len(end)]
        if text.endswith(end) and len(stem) > 1:
            doubled = stem[:-1] if stem[-1:] == stem[-2:-1] else stem
            if any(lexicon.has(base, part) for base in (stem, stem + "e", doubled) for part in PARTS):
                return True
    return False


def is_one_slip(one: str, other: str) -> bool:
    """Whether two words differ by one letter added, left out or changed, or by two neighbours swapped."""
    if one == other or abs(len(one) - len(other)) > 1:
        return one == other
    first = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    ours, theirs = one[first:], other[first:]
    if ours[1:] == theirs or ours == theirs[1:] or ours[1:] == theirs[1:]:
        return True
    return ours[2:] == theirs[2:] and ours[:2] == theirs[:2][::-1]

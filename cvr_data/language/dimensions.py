"""General English that embeddings do not know: which words are one, which exclude each other, and of what they tell.

Sentence encoders find "small" and "large" as alike as "small" and "little". A dimension is what a word tells of: size,
colour, pattern, the movement of the camera. The words of one dimension take the place of each other and of nothing
else; those of one line of it mean the same, those of two lines never do.
"""

from collections.abc import Mapping

OPEN = "open"
"""The dimension of words that no list has."""

_DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "size": ("small little tiny mini miniature", "large big huge giant gigantic enormous massive", "medium"),
    "height": ("tall high", "short low"),
    "length": ("long",),
    "width": ("wide broad", "narrow"),
    "weight": ("heavy", "light lightweight"),
    "age": ("young youthful", "old elderly aged senior", "new", "ancient", "modern", "middle-aged", "adult"),
    "colour": (
        "red", "orange", "yellow", "green", "blue", "pink", "white", "black", "brown", "purple violet", "grey gray",
        "beige", "turquoise", "cyan", "magenta", "golden gold", "silver", "colorful colourful multicolored", "blonde",
    ),
    "pattern": (
        "striped", "spotted dotted polka-dot", "checkered checked chequered plaid", "plain", "floral flowery",
        "patterned", "zigzag", "speckled",
    ),
    "material": (
        "wooden", "metal metallic", "plastic", "leather", "stone", "brick", "concrete", "paper", "ceramic", "woolen",
        "silk", "rubber", "marble",
    ),
    "brightness": ("bright", "dark"),
    "wetness": ("wet", "dry"),
    "temperature": ("hot", "cold", "warm", "cool", "frozen", "icy"),
    "speed": ("fast quick rapid", "slow"),
    "mood": ("happy cheerful joyful smiling", "sad unhappy", "angry", "serious", "scared afraid", "tired"),
    "beauty": ("beautiful pretty gorgeous", "ugly"),
    "shape": ("round circular", "square", "triangular", "oval", "rectangular", "spiral"),
    "fullness": ("full", "empty"),
    "state": ("open", "closed shut"),
    "cleanness": ("clean", "dirty"),
    "weather": ("sunny", "cloudy overcast", "rainy", "snowy", "foggy misty", "stormy", "windy"),
    "season": ("spring", "summer", "autumn fall", "winter"),
    "number": ("one single", "two", "three", "four", "five", "six", "several many", "few"),
    "origin": (
        "american", "asian", "african", "caucasian", "chinese", "japanese", "indian", "european", "mexican", "italian",
        "french", "german", "british", "russian", "korean", "thai",
    ),
    "sex": ("male", "female"),
    "camera": ("pan", "zoom", "tilt", "dolly"),
}  # fmt: skip
_KIND_OF_DIMENSION = {"camera": "action"}


def _senses() -> dict[tuple[str, str], tuple[str, str]]:
    """Return (kind, word) -> (dimension, first word of its line)."""
    senses: dict[tuple[str, str], tuple[str, str]] = {}
    for dimension, lines in _DIMENSIONS.items():
        kind = _KIND_OF_DIMENSION.get(dimension, "attribute")
        for line in lines:
            words = line.split()
            senses |= {(kind, word): (dimension, words[0]) for word in words}
    return senses


_SENSES = _senses()


def words_of_dimension(dimension: str) -> frozenset[str]:
    """Return all words that tell of a dimension."""
    return frozenset(word for line in _DIMENSIONS[dimension] for word in line.split())


def word_dimension(kind: str, word: str) -> str:
    """Return what a word tells of; OPEN if no list has it."""
    return _SENSES.get((kind, word), (OPEN, word))[0]


def stands_for(kind: str, word: str) -> str:
    """Return the first word that means the same; the word itself if no list has it."""
    return _SENSES.get((kind, word), (OPEN, word))[1]


def are_apart(kind: str, first: str, second: str) -> bool:
    """Whether two words cannot be one, however alike their embeddings are."""
    one, other = _SENSES.get((kind, first)), _SENSES.get((kind, second))
    return one != other if one and other else False

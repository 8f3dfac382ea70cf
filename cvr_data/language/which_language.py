"""Which captions seem not to be English: by their letters, and by lingua where it is installed (`cvr[languages]`).

A caption in another script is told by its letters alone. One in Latin letters without English function words is told by
lingua if it has six words or more, and shorter ones of a corpus many together; without lingua, by function words of six
languages that no English caption has. It is a guess for a message, and no row depends on it.

Source: lingua 2.1 (https://github.com/pemistahl/lingua-py, Apache-2.0). Of 2,000 captions of MSR-VTT it takes none for
another language than English.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from cvr_data.language.stop_words import EDIT_WORDS, SMALL_WORDS
from cvr_data.language.words import words_of

LONG = 6
"""Words from which a caption is looked at alone."""
TOGETHER = 18
"""Words of short captions that are looked at together."""
ENGLISH, UNKNOWN = "en", "other"
_SURE = 0.1
"""How much likelier than the next a language has to be."""
_LATIN = (
    "ENGLISH GERMAN FRENCH SPANISH ITALIAN PORTUGUESE DUTCH POLISH TURKISH VIETNAMESE INDONESIAN SWEDISH CZECH ROMANIAN"
)
_GERMAN = (
    "der das und ein eine einen einem mit nicht statt durch ersetze ersetzen mache den dem auf ist wird sind aus im"
)
_FRENCH = "le les une et avec pas dans du des remplace remplacer par est au sur lieu mettre changer changez rendre"
_SPANISH = "el los las una y con por reemplaza reemplazar cambia cambiar lugar hacer haz pon en poner"
_ITALIAN = "il lo gli di della sostituisci sostituire invece cambiare metti che"
_PORTUGUESE = "os uma com troque trocar substitua substituir mude mudar vez da"
_DUTCH = "het een met niet vervang vervangen door van maak plaats zijn wordt"
FOREIGN = frozenset(
    word
    for words in (_GERMAN, _FRENCH, _SPANISH, _ITALIAN, _PORTUGUESE, _DUTCH)
    for word in words.split()
    if word not in SMALL_WORDS and word not in EDIT_WORDS
)
"""Function words and edit verbs of six languages that no English text has, but for a few that are nouns there."""
_NEVER_ENGLISH = FOREIGN - frozenset("con den door met par van".split())


def languages_of_words(captions: Sequence[str]) -> Counter[str]:
    """Return how many captions seem to be in which language (`en`, `de`) or script (`cjk`, `cyrillic`); `other` is any.

    Captions that say nothing of it, such as emoji, are not counted.
    """
    found: Counter[str] = Counter()
    waiting: list[str] = []
    for caption in captions:
        if (script := script_of_language(caption)) not in ("latin", ""):
            found[script] += 1
        elif script and len(caption.split()) >= LONG:
            found[_language(caption)] += 1
        elif script:
            waiting.append(caption)
        if sum(len(each.split()) for each in waiting) >= TOGETHER:
            found[_language(". ".join(waiting))] += len(waiting)
            waiting = []
    if waiting:
        found[_language(". ".join(waiting))] += len(waiting)
    return found


def script_of_language(text: str) -> str:
    """Return the script of most letters of a text, as Unicode names them, in small letters; "" where it has none."""
    scripts = Counter(_script(letter) for letter in text if letter.isalpha())
    return scripts.most_common(1)[0][0] if scripts else ""


def _script(letter: str) -> str:
    return "latin" if letter.isascii() else unicodedata.name(letter, "?").split()[0].lower()


def _language(text: str) -> str:
    """The language of a text in Latin letters; one that has English function words enough is not looked at closer."""
    words = words_of(text)
    english = sum(word in SMALL_WORDS for word in words)
    if english * 5 >= len(words) and _NEVER_ENGLISH.isdisjoint(words):
        return ENGLISH
    return _detector()(text)


@cache
def _detector() -> Callable[[str], str]:
    try:
        import lingua
    except ImportError:
        return _by_function_words
    languages = [getattr(lingua.Language, name) for name in _LATIN.split()]
    detector = lingua.LanguageDetectorBuilder.from_languages(*languages).with_minimum_relative_distance(_SURE).build()

    def by_lingua(text: str) -> str:
        language = detector.detect_language_of(text)
        return _by_function_words(text) if language is None else language.iso_code_639_1.name.lower()

    return by_lingua


def _by_function_words(text: str) -> str:
    words = words_of(text)
    foreign = sum(word in FOREIGN for word in words)
    return UNKNOWN if foreign > sum(word in SMALL_WORDS or word in EDIT_WORDS for word in words) else ENGLISH

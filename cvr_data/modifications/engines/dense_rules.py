"""Dense texts without a language model: the change, and what only one of two descriptions says.

Nothing is said that no description says; without descriptions there is no dense text.
"""

import re

from cvr_data.language.words import content_words, has_word, words_of
from cvr_data.modifications.asking.request import Request
from cvr_data.modifications.realising.refused import CannotSay

LEAST_WORDS, MOST_WORDS = 30, 80
SENTENCES = 3
"""Most sentences of either description that a text takes over."""


def dense_modification_text(request: Request, change: str, sentences: int) -> str:
    """Return the change and up to `sentences` sentences that only one of the two descriptions says.

    Raises:
        CannotSay: a side has no description, or what differs makes no dense text.
    """
    if request.reference == request.captions[0] or request.target == request.captions[1]:
        raise CannotSay("no_descriptions")
    parts = [f"{change[:1].upper()}{change[1:]}."]
    room = MOST_WORDS - len(words_of(parts[0]))
    comes = modification_new_sentences(request.reference, request.target)[:sentences]
    goes = modification_new_sentences(request.target, request.reference)[:sentences]
    for opening, sentence in [*(("Now", one) for one in comes), *(("No longer", one) for one in goes)]:
        room -= len(words_of(f"{opening} {sentence}"))
        if room >= 0:
            parts.append(f"{opening}: {sentence}.")
    text = " ".join(parts)
    if len(words_of(text)) < LEAST_WORDS:
        raise CannotSay("few_differences")
    return text


def modification_new_sentences(reference: str, target: str) -> list[str]:
    """Return the sentences of the target's description most of whose content words the reference's lacks."""
    known = words_of(reference)
    sentences = [sentence.strip().lower() for sentence in re.split(r"[.;]", target)]
    return [sentence for sentence in sentences if len(words_of(sentence)) > 2 and _is_new(sentence, known)]


def _is_new(sentence: str, known: list[str]) -> bool:
    words = content_words(words_of(sentence))
    return bool(words) and sum(not has_word(known, word) for word in words) > len(words) / 2

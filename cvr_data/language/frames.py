"""A caption as a frame: who and what is in it, what they do, where and when, each with where it stands.

    frame = frame_of(sentence)
    frame.things[0].lemma, frame.things[0].attributes     # "car", (Attribute("red", ...),)
    frame.events[0].verb, frame.events[0].agent           # "drive", the thing
"""

from dataclasses import dataclass
from functools import cached_property

from cvr_data.language.parse import Sentence
from cvr_data.language.roles import NOUN_TAGS, roles_of


@dataclass(frozen=True)
class Frame:
    """What a caption says."""

    sentence: Sentence
    roles: tuple[str, ...]

    @cached_property
    def spoken(self) -> tuple[int, ...]:
        """The words that are no punctuation."""
        return tuple(word for word, text in enumerate(self.sentence.words) if any(map(str.isalnum, text)))

    def noun_of(self, word: int) -> int | None:
        """Return the noun that a word is or belongs to; None if there is none."""
        sentence = self.sentence
        for _ in sentence.words:
            if sentence.tags[word] in NOUN_TAGS and sentence.deps[word] not in ("compound", "nmod"):
                return word
            if sentence.heads[word] == word or sentence.tags[word].startswith("VB"):
                return word if sentence.tags[word] in NOUN_TAGS else None
            word = sentence.heads[word]
        return None

    def number(self, noun: int) -> str:
        """Return whether a noun is singular or plural."""
        return "plural" if self.sentence.tags[noun] in ("NNS", "NNPS") else "singular"


def frame_of(sentence: Sentence) -> Frame:
    """Return the frame of a parsed caption."""
    return Frame(sentence, roles_of(sentence))

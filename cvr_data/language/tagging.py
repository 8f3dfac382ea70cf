"""Parts of speech of normalised words, by spaCy."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from cvr_data.language.slots import Tagged, repaired

if TYPE_CHECKING:
    from spacy.language import Language


BATCH = 256


def tagged(texts: Sequence[str]) -> Iterator[Tagged]:
    """Yield the repaired tags of each text of normalised words, in order."""
    from spacy.tokens import Doc

    if not texts:
        return
    language = english("parser", "ner", "lemmatizer")
    docs = (Doc(language.vocab, words=text.split()) for text in texts)
    for doc in language.pipe(docs, batch_size=BATCH):
        yield repaired(
            Tagged([token.text for token in doc], [token.pos_ for token in doc], [token.tag_ for token in doc])
        )


@cache
def english(*exclude: str) -> "Language":
    """Return spaCy's English without some of its steps, loaded once per process."""
    import spacy

    from cvr_data.core.model_packages import model_path

    return spacy.load(model_path("spacy"), exclude=exclude)

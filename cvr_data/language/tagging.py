"""Parts of speech and lemmas of words, by spaCy: "runs" and "running" are both "run"."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

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


def lemmas(words: pa.Array, parts: pa.Array) -> pa.Array:
    """Return the lemma of each word as that part of speech, looking each distinct pair of them up once.

    A phrase of several words, and a word without a part, is its own lemma.
    """
    keys = pc.binary_join_element_wise(words, pc.fill_null(parts, ""), " ")
    is_word = pc.and_(pc.is_valid(parts), pc.invert(pc.match_substring(words, " ")))
    distinct = pc.unique(keys.filter(is_word)).sort()
    found = pa.array(_lemmas([tuple(key.split(" ")) for key in distinct.to_pylist()]), pa.string())
    return pc.coalesce(found.take(pc.index_in(keys, distinct)), words)


def _lemmas(keys: list[tuple[str, ...]]) -> list[str]:
    """Return the lemmas of (word, part) pairs.

    A word that the dictionary lists is its own lemma where the rules make a word of it that is not listed: told nothing
    of the word's form, they take "sing" for a form of "se" and "glass" for several of "glas".
    """
    from spacy.tokens import Doc

    if not keys:
        return []
    language = english("tok2vec", "tagger", "parser", "ner", "attribute_ruler")
    lemmatizer: Any = language.get_pipe("lemmatizer")
    listed = lemmatizer.lookups.get_table("lemma_index")
    document = Doc(language.vocab, words=[word for word, _ in keys], pos=[part for _, part in keys])
    by_rule = [token.lemma_ for token in lemmatizer(document)]
    known = [listed.get(part.lower(), ()) for _, part in keys]
    return [
        word if word in words and lemma not in words else lemma
        for (word, _), lemma, words in zip(keys, by_rule, known, strict=True)
    ]


@cache
def english(*exclude: str) -> "Language":
    """Return spaCy's English without some of its steps, loaded once per process."""
    import spacy

    from cvr_data.core.model_packages import model_path

    return spacy.load(model_path("spacy"), exclude=exclude)

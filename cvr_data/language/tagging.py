"""Parts of speech and lemmas of words, by spaCy: "runs" and "running" are both "run".

English is what the rest knows; of another language an installed spaCy model tells the parts of speech alone.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.errors import CvrError
from cvr_data.language.slots import Tagged, repair_parsed_caption

if TYPE_CHECKING:
    from spacy.language import Language


BATCH = 256
ENGLISH = "en"


def tagged(texts: Sequence[str], language: str = ENGLISH) -> Iterator[Tagged]:
    """Yield the tags of each text of normalised words, in order; those of English are repaired.

    Raises:
        CvrError: no model of that language is installed.
    """
    from spacy.tokens import Doc

    if not texts:
        return
    is_english = language == ENGLISH
    model = english("parser", "ner", "lemmatizer") if is_english else spacy_model_of_language(language)
    docs = (Doc(model.vocab, words=text.split()) for text in texts)
    for doc in model.pipe(docs, batch_size=BATCH):
        tags = Tagged([token.text for token in doc], [token.pos_ for token in doc], [token.tag_ for token in doc])
        yield repair_parsed_caption(tags) if is_english else tags


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

    from cvr_data.core.model_packages import packaged_file_path

    return spacy.load(packaged_file_path("spacy"), exclude=exclude)


@cache
def spacy_model_of_language(language: str) -> "Language":
    """Return the spaCy model of a language that is not English: its code (`de`), a model's name, or its folder.

    Raises:
        CvrError: none is installed, or what is there tells no parts of speech.
    """
    import spacy

    names = sorted(name for name in spacy.util.get_installed_models() if name.startswith(f"{language}_"))
    try:
        model = spacy.load(names[0] if names else language, exclude=["parser", "ner", "lemmatizer"])
    except OSError as error:
        code = language.split("_")[0]
        install = f"{code}_core_{'web' if code == 'zh' else 'news'}_sm" if len(code) in (2, 3) else language
        raise CvrError(
            f"No spaCy model {language!r} can be loaded: `python -m spacy download {install}` installs one "
            f"(https://spacy.io/models); a folder or a model's name may be given, too ({str(error).splitlines()[0]})."
        ) from None
    if not {"tagger", "morphologizer", "attribute_ruler"} & set(model.pipe_names):
        raise CvrError(f"The spaCy model {language!r} tells no parts of speech; its steps: {model.pipe_names}.")
    return model


def spacy_model_name(language: str) -> str:
    """Return name and version of the model that is installed for a language: another tags otherwise.

    Raises:
        CvrError: none is installed.
    """
    meta = spacy_model_of_language(language).meta
    return f"{meta['lang']}_{meta['name']}-{meta['version']}"

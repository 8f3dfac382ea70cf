"""Whether a text asks for a concept in other words: "make it dark" for darkness, "a girl for a boy" for a son.

The nearest phrase of the text, among those that say something the reference does not, is compared with the concept by
the sentence encoder. Measured on 1,271 texts that people wrote for WebVid-CoVR: of the 176 that name the concept in no
form of its word, a cosine of 0.7 finds 43; of 1,264 texts of other pairs it is fooled by 5.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.language.edits import split_negated
from cvr_data.language.stop_words import EDIT_WORDS, SMALL_WORDS
from cvr_data.language.words import content_words, has_word, mentions, words_of

LONGEST = 3
"""Words of a phrase."""
COLUMN = "asked_similarity"


def with_asked_similarity(table: pa.Table) -> pa.Table:
    """Return a lint table with the cosine of the concept that a text misses and its nearest phrase.

    Null where the text names every concept. Of several missed concepts the worst counts.
    """
    rows = table.select(["modification", "reference_caption", "changes"]).to_pylist()
    missed = [_missed(row) for row in rows]
    phrases = [new_phrases(row["modification"], row["reference_caption"]) if concepts else [] for row, concepts in
               zip(rows, missed, strict=True)]  # fmt: skip
    vectors = _vectors([*(text for each in missed for text in each), *(text for each in phrases for text in each)])
    values = [
        min((_nearest(vectors, concept, near) for concept in concepts), default=None)
        for concepts, near in zip(missed, phrases, strict=True)
    ]
    return table.append_column(COLUMN, pa.array(values, pa.float32()))


def new_phrases(text: str | None, reference: str | None) -> list[str]:
    """Return the phrases of up to three words that a text asserts and that hold a word the reference lacks."""
    words, known = split_negated(text or "").affirmed, words_of(reference or "")
    found = set()
    for start in range(len(words)):
        for end in range(start + 1, min(start + LONGEST, len(words)) + 1):
            phrase = words[start:end]
            if phrase[0] in SMALL_WORDS or phrase[-1] in SMALL_WORDS:
                continue
            if any(word not in EDIT_WORDS and not has_word(known, word) for word in content_words(phrase)):
                found.add(" ".join(phrase))
    return sorted(found)


def _missed(row: dict[str, Any]) -> list[str]:
    words = split_negated(row["modification"] or "").affirmed
    return [change["after"] for change in row["changes"] or ()
            if change["after"] and not mentions(words, change["after"])]  # fmt: skip


def _nearest(vectors: dict[str, np.ndarray], concept: str, phrases: Sequence[str]) -> float:
    return max((float(vectors[phrase] @ vectors[concept]) for phrase in phrases), default=-1.0)


def _vectors(texts: Iterable[str]) -> dict[str, np.ndarray]:
    distinct = sorted(set(texts))
    if not distinct:
        return {}
    return dict(zip(distinct, _encoder().encode_texts(distinct).pooled_BD.numpy(), strict=True))


@lru_cache(maxsize=1)
def _encoder() -> Any:
    from cvr_data.features.encoders import ENCODERS

    return ENCODERS.get("minilm").load(ENCODERS.config("minilm"))

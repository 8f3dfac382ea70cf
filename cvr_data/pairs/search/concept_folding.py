"""Synonyms as one: each word stands for itself or for a more frequent word whose embedding is close.

The words of one kind, the most frequent first, each join the first word before them that stands for itself and whose
cosine by the MiniLM sentence encoder is high enough. So "big" and "large" are one, and no chain of small steps makes
"small" of "large". A file of synonyms has one group a line, comma-separated, and goes before the embeddings; so do the
words that general English has as one, or as opposites (`_concept_dimensions`).
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from cvr_data.core.errors import CvrError
from cvr_data.core.reading import read_text
from cvr_data.features.similarities import text_vectors
from cvr_data.language.words import words_of
from cvr_data.pairs.search.concept_dimensions import are_apart, stands_for
from cvr_data.pairs.search.nearest import Band, nearest

MOST_NEAR = 64
"""Nearest words among which a word looks for the one it joins."""
EXACT = 1.01
"""Above every cosine, whatever the rounding."""


class Words:
    """The vectors of words, and which word each stands for."""

    def __init__(self, words: pa.Array, vectors_ND: np.ndarray):
        self.rows = {word: row for row, word in enumerate(words.to_pylist())}
        self.vectors_ND = vectors_ND

    def similarity(self, first: str, second: str) -> float:
        """Return the cosine of two words, rounded so that the last bits decide nothing."""
        return round(float(self.vectors_ND[self.rows[first]] @ self.vectors_ND[self.rows[second]]), 5)


def read_words(words: set[str]) -> Words:
    """Return the words with their vectors."""
    ordered = pa.array(sorted(words), pa.string())
    return Words(ordered, text_vectors(ordered, None))


def folded(
    kind: str, counts: Mapping[str, int], threshold: float, vectors: Words, given: Mapping[str, str]
) -> dict[str, str]:
    """Return the word that each word stands for.

    Args:
        kind: of the words, one of KINDS.
        counts: how often each word is named; ties go by the alphabet.
        threshold: cosine from which two words are one; above 1 folds none.
        vectors: of all of them.
        given: words that a file says what they stand for.
    """
    known = {word: given.get(word) or (stands_for(kind, word) if threshold <= 1 else word) for word in counts}
    merged: Counter[str] = Counter()
    for word, count in counts.items():
        merged[known[word]] += count
    words = sorted(merged, key=lambda word: (-merged[word], word))
    leaders = _leaders(kind, words, threshold, vectors) if threshold <= 1 and len(words) > 1 else {}
    return {word: leaders.get(name, name) for word, name in known.items()}


def _leaders(kind: str, words: list[str], threshold: float, vectors: Words) -> dict[str, str]:
    rows_ND = np.ascontiguousarray(vectors.vectors_ND[[vectors.rows[word] for word in words]])
    found = nearest(rows_ND, Band(k=MOST_NEAR, low=threshold, high=EXACT))
    leader = np.arange(len(words))
    for word, other in zip(found.query.tolist(), found.neighbour.tolist(), strict=True):
        is_free = leader[word] == word
        if is_free and other < word and leader[other] == other and not are_apart(kind, words[word], words[other]):
            leader[word] = other
    return {word: words[leader[row]] for row, word in enumerate(words)}


def read_synonyms(path: Path | None) -> dict[str, str]:
    """Return word -> first word of its line.

    Raises:
        CvrError: no such file, or a word in two groups.
    """
    if path is None:
        return {}
    if not path.is_file():
        raise CvrError(f"No file of synonyms at {path}; it has one group a line: big, large, huge")
    stands_for: dict[str, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        group = [said for word in line.split(",") if (said := " ".join(words_of(word)))]
        for word in group:
            if stands_for.setdefault(word, group[0]) != group[0]:
                raise CvrError(f"{path}, line {number}: {word!r} is in two groups; a word stands for one other only.")
    return stands_for

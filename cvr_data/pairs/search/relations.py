"""How the words of a vocabulary stand to each other, asked for many pairs at once; each pair is worked out once.

Where the lexicon does not relate two nouns, how near a sentence encoder finds them can break the tie: a tablet and a
phone exclude each other, though WordNet has them far apart. It never overrules the lexicon.
"""

from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np

from cvr_data.language.exclusion import EXCLUDES, FITS, UNRELATED, entails, relation_of

LIKE, SAME = 0.45, 0.75
"""Cosines by MiniLM from which on two nouns that nothing else relates exclude each other, and are one. Of the labelled
pairs that differ in such nouns, those from LIKE on are things of one kind: milk and water, phone and tablet."""
Encode = Callable[[Sequence[str]], np.ndarray]
"""Words, sorted -> unit vectors, a row each."""


class Relations:
    """Words of the form "noun guitar", asked by their numbers."""

    def __init__(self, words: list[str], encode: Encode | None = None):
        self._encode = encode
        self._vectors: dict[str, np.ndarray] = {}
        self._parts = [word.split(" ", 1) for word in words]
        self._relation: dict[int, int] = {}
        self._entails: dict[int, int] = {}

    def between(self, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return how each word stands to the other of its row, as `language.exclusion` says."""
        first, last = np.minimum(ones, others), np.maximum(ones, others)
        if self._encode is None:
            return self._asked(self._relation, _relation, first, last)
        known = len(self._relation)
        found = self._asked(self._relation, _relation, first, last)
        new = islice(self._relation.items(), known, None)
        ties = [key for key, relation in new if relation == UNRELATED]
        self._break_ties(ties)
        return self._asked(self._relation, _relation, first, last) if ties else found

    def _break_ties(self, keys: list[int]) -> None:
        """Decide pairs of nouns that the lexicon does not relate, where their vectors do."""
        pairs = {key: [self._parts[word] for word in divmod(key, len(self._parts))] for key in sorted(keys)}
        pairs = {key: sides for key, sides in pairs.items() if all(side[0] == "noun" for side in sides)}
        new = sorted({side[1] for sides in pairs.values() for side in sides} - self._vectors.keys())
        if new and self._encode is not None:
            self._vectors |= dict(zip(new, self._encode(new), strict=True))
        for key, (one, other) in pairs.items():
            cosine = round(float(self._vectors[one[1]] @ self._vectors[other[1]]), 4)
            if cosine >= LIKE:
                self._relation[key] = FITS if cosine >= SAME else EXCLUDES

    def entail(self, said: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return whether each word that is said entails the value of its row."""
        return self._asked(self._entails, _entails, said, values).astype(bool)

    def _asked(
        self, known: dict[int, int], ask: Callable[..., int], ones: np.ndarray, others: np.ndarray
    ) -> np.ndarray:
        keys, rows = np.unique(ones.astype(np.int64) * len(self._parts) + others, return_inverse=True)
        found = np.empty(len(keys), np.int8)
        for row, key in enumerate(keys.tolist()):
            if key not in known:
                known[key] = ask(*(self._parts[word] for word in divmod(key, len(self._parts))))
            found[row] = known[key]
        return found[rows.ravel()]


def _relation(one: list[str], other: list[str]) -> int:
    if one[0] != other[0]:
        return FITS if one[1] == other[1] else UNRELATED
    return relation_of(one[0], one[1], other[1])


def _entails(said: list[str], value: list[str]) -> int:
    return said[0] == value[0] and entails(value[0], said[1], value[1])

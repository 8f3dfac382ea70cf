"""How the words of a vocabulary stand to each other, asked for many pairs at once; each pair is worked out once."""

from collections.abc import Callable

import numpy as np

from cvr_data.language.exclusion import FITS, UNRELATED, entails, relation_of


class Relations:
    """Words of the form "noun guitar", asked by their numbers."""

    def __init__(self, words: list[str]):
        self._parts = [word.split(" ", 1) for word in words]
        self._relation: dict[int, int] = {}
        self._entails: dict[int, int] = {}

    def between(self, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return how each word stands to the other of its row, as `language.exclusion` says."""
        return self._asked(self._relation, _relation, np.minimum(ones, others), np.maximum(ones, others))

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

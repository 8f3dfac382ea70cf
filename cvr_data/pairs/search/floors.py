"""Below which score no key can be among a query's k best, known while most keys are still to come.

The keys seen so far are dealt out to groups, and of each group the best score is kept: the k best of the groups' are
scores of k different keys. That takes one look at a block of scores where choosing its k best takes many. It is the
place of a key in its block that says its group, so keys that are near each other in the order of rows, which are often
near in the space too, are in different groups.

Scores are compared as what orders like them and is compared fastest: bfloat16 as the int16 of its bits. These have the
order of the numbers where they are not negative; a floor of 0 or less is therefore reached by all.
"""

# Shapes: G groups, N all queries, Q queries and K keys of a block.

import threading

import numpy as np
import torch
from torch import Tensor

FEWEST_GROUPS = 64


class Floors:
    """The best score of each group of keys, for every query; several threads may bring scores."""

    def __init__(self, queries: int, places: int, dtype: torch.dtype):
        """Begin with no key seen.

        Args:
            queries: how many.
            places: keys that must be known to be better before another can be left out.
            dtype: of the products.
        """
        self.places = places
        groups = max(FEWEST_GROUPS, 2 ** (2 * places - 1).bit_length())  # so that the best are seldom in one group
        self.of_bits = dtype == torch.bfloat16
        self.worst: float = np.iinfo(np.int16).min if self.of_bits else -np.inf
        self.best_GN = np.full((groups, queries), self.worst, np.int16 if self.of_bits else np.float32)
        self.changing = threading.Lock()

    def comparable(self, scores_QK: Tensor) -> Tensor:
        """Return what is compared in place of the scores, on the CPU."""
        return scores_QK.cpu().view(torch.int16) if self.of_bits else scores_QK.float().cpu()

    def limits(self, floor_Q: np.ndarray) -> np.ndarray:
        """Return what a comparable score must reach in place of a floor."""
        if not self.of_bits:
            return floor_Q
        bits_Q = np.where(floor_Q > 0, floor_Q, 0).astype(np.float32).view(np.int32) >> 16  # rounded down
        return np.where(floor_Q > 0, bits_Q, np.iinfo(np.int16).min).astype(np.int16)

    def scores(self, comparable: np.ndarray) -> np.ndarray:
        """Return the float32 scores of which these are the comparable ones."""
        if not self.of_bits:
            return comparable
        return (comparable.astype(np.int32) << 16).view(np.float32)

    def see(self, first: int, scores_QK: Tensor, highest: float) -> None:
        """Take in comparable scores, of which those above `highest` do not count, of the queries from `first` on."""
        best_GQ = _best_of_groups(scores_QK, len(self.best_GN))
        if self.scores(best_GQ.numpy()).max(initial=-np.inf) > highest:
            is_high = torch.from_numpy(self.scores(scores_QK.numpy()) > highest)
            best_GQ = _best_of_groups(scores_QK.masked_fill(is_high, self.worst), len(self.best_GN))
        with self.changing:
            known_GQ = self.best_GN[: len(best_GQ), first : first + best_GQ.shape[1]]
            np.maximum(known_GQ, best_GQ.numpy(), out=known_GQ)

    def known(self, queries: slice) -> np.ndarray:
        """Return the score that `places` different keys reach, of each query; -inf where so many are not known.

        Other threads may bring scores meanwhile: a floor is then the one before or the one after, and both hold.
        """
        kth_Q = np.partition(self.best_GN[:, queries].T, -self.places, axis=1)[:, -self.places]
        return np.where(kth_Q > 0, self.scores(kth_Q), np.float32(-np.inf)) if self.of_bits else kth_Q


def _best_of_groups(scores_QK: Tensor, groups: int) -> Tensor:
    """Return best_GQ; there are fewer groups than asked for where there are fewer keys."""
    whole, scores_KQ = scores_QK.shape[1] // groups * groups, scores_QK.T
    if not whole:
        return scores_KQ
    if scores_QK.stride(1) == 1:  # what is laid out by queries and what by keys: the other way takes 20 times as long
        best_GQ = scores_QK[:, :whole].unflatten(1, (-1, groups)).amax(1).T
    else:
        best_GQ = scores_KQ[:whole].unflatten(0, (-1, groups)).amax(0)
    rest_RQ = scores_KQ[whole:]
    best_GQ[: len(rest_RQ)] = torch.maximum(best_GQ[: len(rest_RQ)], rest_RQ)
    return best_GQ

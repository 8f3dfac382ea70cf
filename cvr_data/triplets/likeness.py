"""How alike texts and changes of a dataset are to those that people wrote, and how many texts are generic.

    triplet_text_likeness(numbers["all"])      # {"slots": 0.91, "words_per_text": 0.88, "first_words": 0.62, ...}

Likeness is one less the Jensen-Shannon divergence (in bits) of two distributions: 1 where they are equal, 0 where they
share nothing. People's counts are those of the test of WebVid-CoVR (`human_texts.json`, remade by
annotations/make_human_counts.py); what words it does not list are one. `halves` in it is what two halves of people's
texts reach, so the most that means something.

Source: Lin, Divergence Measures Based on the Shannon Entropy, IEEE Transactions on Information Theory 1991.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cvr_data.core.annotation_files import read_json

LIKENESSES = {
    "slots": "what changes",
    "words_per_text": "length of texts",
    "first_words": "first words",
    "words": "words",
}
"""Counts that are compared -> what they are of."""
OTHER = "*"
"""All values that people's counts do not list; no word is written so."""
SHARED_BY = 10
"""A text is generic that so many triplets have, or that names nothing."""


@cache
def human_triplet_texts() -> dict[str, Any]:
    """Return people's counts."""
    return read_json(Path(__file__).parent / "human_texts.json", dict)


def triplet_count_likeness(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Return how alike two distributions are, from 0 to 1, given as counts of values."""
    values = sorted({*one, *other})
    shares = np.array([[counts.get(value, 0) for value in values] for counts in (one, other)], float)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    middle = shares.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(shares > 0, shares * np.log2(shares / middle), 0.0)
    return round(1 - float(parts.sum(axis=1).mean()), 4)


def triplet_text_likeness(counts: Mapping[str, Mapping[str, int]]) -> dict[str, float] | None:
    """Return the likeness of each kind of counts to people's; None where there is nothing to compare."""
    human = human_triplet_texts()
    if not any(count for length, count in counts["words_per_text"].items() if length != "0"):
        return None
    return {name: triplet_count_likeness(counts[name], human[name]) for name in LIKENESSES if counts.get(name)}


def triplet_likeness_line(found: Mapping[str, float] | None) -> str:
    """Return that as a line, each beside what two halves of people's texts reach."""
    if found is None:
        return "unknown"
    halves = human_triplet_texts()["halves"]
    return ", ".join(f"{LIKENESSES[name]} {value:.2f} (of {halves[name]:.2f})" for name, value in found.items())


def generic_triplet_share(spread: Mapping[str, int], vague: int, triplets: int) -> dict[str, Any] | None:
    """Return how many triplets have a generic text, in percent.

    Args:
        spread: in how many triplets a text is -> how many texts.
        vague: triplets whose text names nothing.
        triplets: all.
    """
    if not triplets:
        return None
    shared = sum(int(times) * texts for times, texts in spread.items() if int(times) >= SHARED_BY)
    return {"shared": round(100 * shared / triplets, 2), "shared_by": SHARED_BY,
            "vague": round(100 * vague / triplets, 2)}  # fmt: skip


def generic_triplet_line(found: Mapping[str, Any] | None) -> str:
    """Return that as a line."""
    if found is None:
        return "unknown"
    shared = f"{found['shared']:g} % of triplets have a text that {found['shared_by']} or more share"
    return f"{shared}, {found['vague']:g} % name nothing"

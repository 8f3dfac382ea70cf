"""Counts of how people write modification texts, cvr_data/triplets/human_texts.json, from the test of WebVid-CoVR.

    python annotations/make_human_counts.py webvid8m-covr_test.csv cvr_data/triplets/human_texts.json

No text is kept: slots of the typed changes of the captions, words per text, the words that texts begin with, and the
words that at least `FEWEST` texts have. `halves` is how alike two halves of the texts are, drawn at random and averaged
over draws: what a dataset could reach at most.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from cvr_data.core.files import read_rows
from cvr_data.core.whole_files import write_bytes
from cvr_data.language.words import clean_text, words_of
from cvr_data.pairs.changes import type_changes
from cvr_data.pairs.search.differences import pair_differences
from cvr_data.tables import PAIRS
from cvr_data.triplets.likeness import LIKENESSES, OTHER, triplet_count_likeness

FEWEST = 5
DRAWS = 50
COLUMNS = ("txt1", "txt2", "edit")


def counts_of(texts: list[str], slots: list[str]) -> dict[str, Counter[str]]:
    """Return the counts of each kind."""
    words = [words_of(text) for text in texts]
    return {
        "slots": Counter(slots),
        "words_per_text": Counter(str(len(found)) for found in words),
        "first_words": Counter(found[0] for found in words if found),
        "words": Counter(word for found in words for word in found),
    }


def main(source: Path, out: Path) -> None:
    """Write the counts of a published test file."""
    rows = [row for rows in read_rows(source, set(COLUMNS)) for row in rows if row.drop_reason is None]
    captions = [[clean_text(row.values[name]) for name in COLUMNS[:2]] for row in rows]
    changes = [pair_differences(*map(words_of, both)) for both in captions]
    pairs = pa.table({
        "reference_caption": [one for one, _ in captions], "target_caption": [other for _, other in captions],
        "changes": pa.array(changes, PAIRS.field("changes").type),
    })  # fmt: skip
    slots = [[change["slot"] for change in row] for row in type_changes(pairs).column("changes").to_pylist()]
    texts = [row.values["edit"] for row in rows]

    def counts(chosen: np.ndarray) -> dict[str, Counter[str]]:
        return counts_of([texts[row] for row in chosen], [slot for row in chosen for slot in slots[row]])

    whole = counts(np.arange(len(texts)))
    kept = {name: {value: n for value, n in found.items() if n >= FEWEST or name == "words_per_text"}
            for name, found in whole.items()}  # fmt: skip
    alike: dict[str, list[float]] = {name: [] for name in LIKENESSES}
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(len(texts))
        halves = [counts(half) for half in np.array_split(order, 2)]
        for name in LIKENESSES:
            listed = [{value: n for value, n in half[name].items() if value in kept[name]} for half in halves]
            rest = [{OTHER: half[name].total() - sum(part.values())} for half, part in zip(halves, listed, strict=True)]
            alike[name].append(
                triplet_count_likeness(*({**part, **other} for part, other in zip(listed, rest, strict=True)))
            )
    record = {
        "source": "test of WebVid-CoVR (Ventura et al., AAAI 2024), every second row", "texts": len(texts),
        **{name: {**dict(sorted(found.items())), OTHER: whole[name].total() - sum(found.values())}
           for name, found in kept.items()},
        "halves": {name: round(float(np.mean(values)), 3) for name, values in alike.items()},
    }  # fmt: skip
    write_bytes(out, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

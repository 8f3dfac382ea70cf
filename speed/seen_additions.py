"""Tell how far frames bear out what is added, where the truth is known: the synthetic world.

    python speed/seen_additions.py VIDEOS EMBEDDINGS      # of `cvr import synthetic`, and with heads of `cvr fit-heads`

Of one clip a value is asked of every other clip of the split, as `seen-addition` does ("there is a beach"): it is
truly added where the other shows another value, and not where it shows the same, whatever its caption leaves unsaid.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa

from cvr_data.features.similarities import embedding_phrase_differences
from cvr_data.videos.synthetic.truth import read_synthetic_truth

ASKED = ("object", "scene", "colour")
MARGINS = (0.05, 0.1, 0.2, 0.3, 0.4)
PAIRS = 20_000
EQUAL = 0.5
"""Share of the pairs of which both show the thing."""


def drawn(values: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of clips that have a thing and of others, half of which show the same."""
    ones = generator.integers(0, len(values), 20 * PAIRS)
    others = generator.integers(0, len(values), 20 * PAIRS)
    is_same = values[ones] == values[others]
    same, different = np.flatnonzero(is_same & (ones != others)), np.flatnonzero(~is_same)
    rows = np.concatenate([same[: int(PAIRS * EQUAL)], different[: int(PAIRS * (1 - EQUAL))]])
    return ones[rows], others[rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    truth, generator = read_synthetic_truth(options.videos), np.random.default_rng(0)
    ids = np.array(sorted(name for name, split in truth.splits.items() if split == options.split))
    for slot in ASKED:
        values = np.array([getattr(truth.concept(name), slot) for name in ids])
        having, lacking = drawn(values, generator)
        phrases, *sides = (pa.array(each, pa.string()) for each in (values[having], ids[having], ids[lacking]))
        found = embedding_phrase_differences(phrases, *sides, options.embeddings)
        is_added = values[having] != values[lacking]
        for margin in MARGINS:
            is_kept = found >= margin
            hits = int((is_kept & is_added).sum())
            precision, recall = hits / max(int(is_kept.sum()), 1), hits / int(is_added.sum())
            about = f"{is_added.sum()} additions, {(~is_added).sum()} that are none"
            print(f"{slot:<7} margin {margin:4} precision {precision:.3f} recall {recall:.3f} of {about}")


if __name__ == "__main__":
    main()
